"""One run of a comparison: train (or continue), measure, write down."""

import dataclasses
from pathlib import Path

from encode.errors import TrainingError
from enroll.stores.memory import MemoryStore
from eval.plans.protocol import IMPOSTOR_SAMPLES, Protocol
from eval.scoring import score_corpus
from eval.trials import KINDS
from train.build import build_network
from train.compare.embedding_space import collapse, embedding_space
from train.compare.matrix import Run, samples_seen
from train.compare.measures import Measured, measured
from train.compare.pair_trials import pair_trials
from train.compare.people import People
from train.compare.results import RunResult, Space
from train.compare.run_folder import Consumption, RunFolder
from train.development import embed_samples
from train.loop import Trained
from train.networks.residual import count_parameters
from train.people_split import Role
from train.recipe import Recipe
from train.run import fit_on, seal_trained
from train.sealing import Progress
from train.tracking.tracker import following
from verify.model import load_model
from verify.verifier import Verifier

POLICY_PAIRS = "policy people, all pairs"
BACKGROUND_PAIRS = "background people, all pairs (early stopping saw them)"

MAP = {"kind": "map", "strength": 15.0}
"""The identity model of a recipe that gives none: one for all, so that the comparison is of networks."""

NOT_FINITE = "optimisation.rate"
"""The field of the error that a training loop ends with where its loss is not finite."""

_BUNDLE = "bundle"
_STAGES = {"pretrain": "{}, pre-training", "train": "{}"}


def finished(run: Run, people: People, runs: Path) -> RunResult | None:
    """The result of the run, where it is there and still of this recipe, these people and these measures."""
    return RunFolder(runs / run.name).result(people.training_digest(run.recipe), people.measures_digest)


def do_run(run: Run, people: People, runs: Path, progress: Progress = lambda *_: None) -> RunResult:
    """Train the run in its folder below `runs`, measure its network, and write its result.

    A loss that is not finite ends the run as collapsed. Raises TrainingError, CorpusError kinds.
    """
    recipe, digest = run.recipe, people.training_digest(run.recipe)
    training = people.samples(Role.TRAINING, recipe, progress)
    background = people.samples(Role.BACKGROUND, recipe, progress)
    further = people.further(recipe, progress)
    folder = RunFolder(runs / run.name)
    folder.begin(digest)
    consumed = Consumption(folder)
    reached = 0

    def told(stage: str, done: int, total: int) -> None:
        nonlocal reached
        if stage == "train":
            reached = done
        if stage in _STAGES:
            consumed.step(done, total)
            stage = _STAGES[stage].format(run.name)
        progress(stage, done, total)

    trained, collapsed = None, None
    teacher = people.setting.teacher if recipe.teacher is not None else None
    try:
        with following(people.setting.track, run.name, recipe) as followed:
            trained = fit_on(
                *(recipe, training, background, folder.path),
                teacher=teacher,
                further=further,
                followed=followed,
                progress=told,
            )
    except TrainingError as error:
        if error.field != NOT_FINITE:
            raise
        collapsed = error.message
    seconds, space = consumed.seconds, None
    found: list[Measured] = []
    if trained is not None:
        space, found = _measured(recipe, people, trained, folder.path / _BUNDLE, progress)
        collapsed = collapse(space)
    steps = reached if trained is None else trained.steps
    result = RunResult(
        recipe=run.label,
        seed=recipe.seed,
        training_digest=digest,
        measures_digest=people.measures_digest,
        steps=steps,
        best_step=0 if trained is None else trained.best_step,
        samples=samples_seen(recipe, steps),
        cpu_seconds=round(seconds, 1),
        parameters=count_parameters(build_network(recipe) if trained is None else trained.network),
        collapsed=collapsed,
        space=space,
        measures=tuple(one.measure for one in found),
    )
    folder.finish(result, found)
    return result


def _measured(
    recipe: Recipe, people: People, trained: Trained, bundle: Path, progress: Progress
) -> tuple[Space | None, list[Measured]]:
    """How the policy people's embeddings use their space, and every measure; neither where they are not finite."""
    policy, background = (people.samples(role, recipe, progress) for role in (Role.POLICY, Role.BACKGROUND))
    embeddings = embed_samples(trained.network, policy)
    space = embedding_space(embeddings, policy.labels.numpy())
    if space is None:
        return None, []
    pairs = ((POLICY_PAIRS, policy, embeddings), (BACKGROUND_PAIRS, background, None))
    found = []
    for name, samples, known in pairs:
        held = embed_samples(trained.network, samples) if known is None else known
        trials = pair_trials(held, samples.labels.numpy(), samples.forged.numpy(), samples.corpus_of)
        found.append(measured(name, trials, replicates=people.setting.replicates))
    if people.tests:
        found += _on_tests(recipe, people, trained, bundle, progress)
    return space, [one for one in found if one is not None]


def _on_tests(
    recipe: Recipe, people: People, trained: Trained, bundle: Path, progress: Progress
) -> list[Measured | None]:
    """Every test corpus by protocol, through the bundle that the run would ship: what `eval` does."""
    setting, modality = people.setting, recipe.modality
    alike = dataclasses.replace(recipe, identity=recipe.identity or MAP, compact=None)
    sealed = seal_trained(alike, people.pool, trained, bundle, progress=progress)
    verifier = Verifier({modality: load_model(sealed.path)}, MemoryStore())
    protocol = Protocol(references=setting.references, draws=setting.draws, impostor_samples=IMPOSTOR_SAMPLES[modality])
    found = []
    for test in people.tests:
        table = score_corpus(test, verifier, modality, protocol, quiet=True).table
        trials = {kind: table.of(kind) for kind in KINDS if table.counts[kind]}
        name = f"{test.name}, {setting.references} references × {setting.draws} draws"
        found.append(measured(name, trials, replicates=setting.replicates))
    return found
