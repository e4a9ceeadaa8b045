"""The command line: one file a command. Options, a call, an exit code. Only here reports/ and bench/ meet."""
