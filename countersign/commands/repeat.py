"""The command line that repeats a run, for reports."""

import shlex


def command_line(*words: str, **flags: object) -> str:
    """`words`, then every flag that has a value, in order; True stands for a flag without one, None for no flag."""
    said = list(words)
    for name, value in flags.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            said.append(flag)
        elif value is not None and value is not False:
            said += [flag, str(value)]
    return shlex.join(said)
