/** A program with everything that a page or a completion has to cope with. */
import { Argument, Command, Option } from 'commander';
import { type CommandNode, programTree } from '../../../src/manual/program-tree.ts';

export function exampleProgram(): CommandNode {
  const program = new Command('demo')
    .description("Shows what there is, 'quoted' and with a \\ in it.")
    .version('1', '--version', 'print the version')
    .addOption(new Option('--secret').hideHelp());
  program.commandsGroup('Here:');
  program
    .command('state')
    .alias('st')
    .summary('how it [is]: well or not')
    .addOption(new Option('-f, --format <format>', 'how').choices(['text', 'json']).default('text'))
    .option('--quiet', 'say less', false);
  const boxes = program.command('boxes').summary('all the boxes');
  boxes
    .command('open')
    .summary('open a box')
    .argument('<file...>', 'which')
    .option('--into <dir>', 'where to')
    .addOption(new Option('-f, --format <format>', 'how').choices(['text', 'json']).default('text'));
  boxes
    .command('colour')
    .addArgument(new Argument('<colour>', 'which colour').choices(['red', 'green']))
    .option('--dry [BOOL]', 'do nothing');
  return programTree(program);
}
