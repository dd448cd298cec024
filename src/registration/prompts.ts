/**
 * Questions to a person at a terminal.
 */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { YggError } from '../base/errors.ts';

export interface Prompts {
  /** The answer, without the white space around it. Throws `YGG_USAGE` when there is none. */
  ask(question: string): Promise<string>;
  /** The same for what nobody may see; as it is typed. */
  askHidden(question: string): Promise<string>;
}

export interface PromptsDeps {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
  /** Ctrl-C was pressed; {@link abort} is expected to follow. */
  interrupted(): void;
  /** Ends a question, with its reason. */
  readonly abort: AbortSignal;
}

export function createPrompts(deps: PromptsDeps): Prompts {
  return {
    async ask(question) {
      return (await answerTo(question, false, deps)).trim();
    },
    askHidden: (question) => answerTo(question, true, deps),
  };
}

function answerTo(question: string, hidden: boolean, deps: PromptsDeps): Promise<string> {
  const { input, output, interrupted, abort } = deps;
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  // In its terminal mode, readline takes the echo over from the terminal, and then writes to nowhere.
  const lines = createInterface({
    input,
    output: hidden ? nowhere : output,
    terminal: true,
    historySize: 0,
    prompt: hidden ? '' : question,
  });
  return new Promise((resolve, reject) => {
    let answered = false;
    const end = (): void => {
      answered = true;
      abort.removeEventListener('abort', onAbort);
      lines.close();
    };
    const onAbort = (): void => {
      end();
      output.write('\n');
      reject(abort.reason);
    };
    abort.addEventListener('abort', onAbort, { once: true });
    lines.once('line', (line) => {
      end();
      if (hidden) output.write('\n');
      if (line.trim() === '') reject(noAnswer(question));
      else resolve(line);
    });
    lines.once('SIGINT', interrupted);
    lines.once('close', () => {
      if (answered) return;
      abort.removeEventListener('abort', onAbort);
      output.write('\n');
      reject(noAnswer(question));
    });
    if (hidden) output.write(question);
    lines.prompt();
  });
}

function noAnswer(question: string): YggError {
  return new YggError('YGG_USAGE', `"${question.trim()}" was not answered; nothing was registered.`);
}
