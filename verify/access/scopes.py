"""Which scope each RPC needs: the one table that access is decided by.

    OPEN     anybody, without a token
    ANY      any valid token, whatever it grants: the answer concerns no collection
    a Scope  a token that grants it in the request's collection

An RPC that is not in the table is refused to everybody. Health is open, because load balancers and probes carry no
token and it tells nothing but whether the service is up. Reflection needs a token: the contract it hands out is public,
but a stream costs the service memory for as long as its caller likes.
"""

from enum import Enum, auto

from encode.errors import ScopeMissing
from enroll.access.grants import Scope
from verify.access.caller import Caller


class Access(Enum):
    """The rules that are not a scope."""

    OPEN = auto()
    ANY = auto()


Rule = Access | Scope

RULES: dict[str, Rule] = {
    "/verify.v1.VerificationService/Verify": Scope.VERIFY,
    "/verify.v1.VerificationService/VerifyBatch": Scope.VERIFY,
    "/verify.v1.VerificationService/Identify": Scope.IDENTIFY,
    "/verify.v1.EnrollmentService/Enroll": Scope.ENROLL,
    "/verify.v1.EnrollmentService/EnrollBatch": Scope.ENROLL,
    "/verify.v1.EnrollmentService/GetPerson": Scope.ENROLL,
    "/verify.v1.EnrollmentService/ListPersons": Scope.ADMIN,
    "/verify.v1.EnrollmentService/DeletePerson": Scope.ADMIN,
    "/verify.v1.EnrollmentService/ListTemplateVersions": Scope.ADMIN,
    "/verify.v1.EnrollmentService/RollbackTemplate": Scope.ADMIN,
    "/verify.v1.EnrollmentService/ListQuarantine": Scope.ADMIN,
    "/verify.v1.EnrollmentService/ResolveQuarantine": Scope.ADMIN,
    "/verify.v1.ModelService/ListModels": Access.ANY,
    "/verify.v1.ModelService/GetPolicy": Access.ANY,
    "/grpc.health.v1.Health/Check": Access.OPEN,
    "/grpc.health.v1.Health/Watch": Access.OPEN,
    "/grpc.health.v1.Health/List": Access.OPEN,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Access.ANY,
}


def rule_of(method: str) -> Rule:
    """The rule of a method such as ``/verify.v1.VerificationService/Verify``. Raises ScopeMissing if it has none."""
    try:
        return RULES[method]
    except KeyError:
        raise ScopeMissing("no token opens this method", fix="call a method of the published contract") from None


def require_access(caller: Caller, rule: Rule, request: object) -> None:
    """Raise ScopeMissing unless `caller` may make the call of this rule with this request.

    The error says neither what the collection holds nor whether there is one.
    """
    if isinstance(rule, Access):
        return
    # A request without a collection is refused to all but those who may call for every one.
    collection = getattr(request, "collection", "")
    if not caller.may(rule, collection):
        raise ScopeMissing(
            f"the token does not grant {rule.value} in this collection",
            field="collection",
            fix="ask the operator for a token with that scope, or name a collection it covers",
        )
