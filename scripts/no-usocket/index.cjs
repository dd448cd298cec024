throw new Error('usocket is left out: abstract addresses are reached in another way');
