"""`sluice completion`: what a shell is told, so that it completes commands and options."""

import click
from click.shell_completion import get_completion_class

PROGRAM = "sluice"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what SHELL needs to complete this command: eval "$(sluice completion bash)"."""
    found = get_completion_class(shell)
    if found is None:  # a click without that shell
        raise click.ClickException(f"{shell} can't be told.")
    # as its program would ask; `source` itself would look which version of the shell is here
    kind = found(context.find_root().command, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE")
    click.echo(kind.source_template % kind.source_vars())
