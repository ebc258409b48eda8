"""`countersign template`: versions of stored templates, going back to one, and what waits in quarantine."""

from typing import TYPE_CHECKING, Annotated

import typer

from countersign.commands.client_options import MODALITY_NAMES, AsJson, Service, calls_service, print_json
from countersign.exit_codes import typed_exit
from encode.sample import Modality

if TYPE_CHECKING:
    from verify.v1.enrollment_pb2 import QuarantinedProbe, Template, TemplateVersion

app = typer.Typer(no_args_is_help=True, help="Versions of stored templates, rollback, and what waits to be learned.")

Person = Annotated[str, typer.Argument(help="The person's id in the collection.")]
OfModality = Annotated[Modality, typer.Option("--modality", help="Of which of the person's templates.")]
RequestId = Annotated[
    str | None, typer.Option(help="Repeat a call safely: the same id changes once. Default: a new one.")
]


@app.command()
@calls_service
def versions(
    person: Person,
    modality: OfModality = Modality.FACE,
    *,
    service: Service,
    as_json: AsJson = False,
) -> None:
    """List the versions kept of a template, oldest first, and what each was written for; the last is in force.

    Exit codes: 0 listed, 3 an id is wrong, 4 no service, 5 nobody of this name, 11 no access.
    """
    with typed_exit(as_json=as_json), service.called() as (client, collection):
        found = client.list_template_versions(collection, person, modality)
    if as_json:
        print_json([*found])
        return
    for one in found:
        typer.echo(f"{one.version:>6}  {_at(one)}  {one.reason or '-':<10}  model {one.model_digest[:12]}")


@app.command()
@calls_service
def rollback(
    person: Person,
    modality: OfModality = Modality.FACE,
    version: Annotated[
        int | None, typer.Option(min=1, help="The version whose content is to be in force again.")
    ] = None,
    enrolled_only: Annotated[
        bool, typer.Option("--enrolled-only", help="Instead: drop all that was learned from accepted probes.")
    ] = False,
    request_id: RequestId = None,
    *,
    service: Service,
    as_json: AsJson = False,
) -> None:
    """Give a template an earlier content again, as a new version, and empty its quarantine.

    Exit codes: 0 done, 2 neither or both of --version and --enrolled-only, 3 an id is wrong, 4 no service, 5 nobody of
    this name, the version is not kept, or its model is not loaded, 11 no access.
    """
    if (version is None) != enrolled_only:
        raise typer.BadParameter("give --version N or --enrolled-only")
    with typed_exit(as_json=as_json), service.called() as (client, collection):
        template = client.rollback_template(collection, person, modality, version, request_id=request_id)
    _print_template(template, as_json)


@app.command()
@calls_service
def quarantine(
    person: Annotated[
        str | None, typer.Argument(help="Whose probe to decide over, with --approve or --discard. Default: list all.")
    ] = None,
    modality: OfModality = Modality.FACE,
    approve: Annotated[
        bool | None,
        typer.Option("--approve/--discard", help="Make the probe a reference now, if it passes the rule, or drop it."),
    ] = None,
    version: Annotated[
        int, typer.Option(min=0, help="Only if the template still has this version, as listed. Default: any.")
    ] = 0,
    request_id: RequestId = None,
    *,
    service: Service,
    as_json: AsJson = False,
) -> None:
    """List the accepted probes that wait to become references, or decide over one before its time.

    Exit codes: 0 done, 2 a person without --approve or --discard, or the other way round, 3 an id is wrong, 4 no
    service, 5 nothing waits, the probe fails the rule, or the template has changed, 11 no access.
    """
    if (person is None) != (approve is None):
        raise typer.BadParameter("give a person with --approve or --discard, or neither to list all")
    with typed_exit(as_json=as_json), service.called() as (client, collection):
        if person is not None and approve is not None:
            template = client.resolve_quarantine(
                collection, person, modality, approve=approve, version=version, request_id=request_id
            )
        else:
            _print_waiting(list(client.list_quarantine(collection)), as_json)
            return
    _print_template(template, as_json)


def _print_waiting(found: "list[QuarantinedProbe]", as_json: bool) -> None:
    if as_json:
        print_json([*found])
        return
    for one in found:
        due = one.due.ToDatetime().isoformat(timespec="seconds")
        typer.echo(f"{one.person}  {MODALITY_NAMES[one.modality]}  version {one.version}  due {due}Z")
    if not found:
        typer.echo("nothing is in quarantine")


def _print_template(template: "Template", as_json: bool) -> None:
    if as_json:
        print_json(template)
        return
    typer.echo(
        f"version {template.version}: {template.anchors} anchors, {template.recent} enrolled later, "
        f"{template.adapted} learned, {template.quarantined} in quarantine"
    )


def _at(one: "TemplateVersion") -> str:
    return f"{one.saved_at.ToDatetime().isoformat(timespec='seconds')}Z"
