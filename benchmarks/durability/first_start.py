"""The very first start of a store, killed at a random moment: the next start must find a whole store or make one."""

import time

from durability.accidents import Scene
from durability.places import bare_postgres_place
from durability.service_process import Place, Service, command, kill
from encode.errors import CountersignError
from encode.sample import ImageSample
from fuzzing.pictures import face
from verify.client.client import Client


def first_start(scene: Scene) -> None:
    """On a store of its own, beside the one of the campaign: kill its first start, start it, enroll, kill, look."""
    scene.counts["first starts killed"] += 1
    folder = scene.file("first")
    if scene.cluster is not None:
        place = bare_postgres_place(folder, scene.cluster)
        _killed_upgrade(scene, place)
    else:
        folder.mkdir()
        # The default key file is part of what a first start makes.
        place = Place(str(folder / "people.sqlite"), str(folder / "people.sqlite.keystore"), None)
        starting = Service(place, scene.bundle, folder / "first.log")
        time.sleep(scene.draw.uniform(0.2, 1.1 * (scene.restarts[-1] if scene.restarts else 2.0)))
        starting.kill()
    service = Service(place, scene.bundle, folder / "second.log")
    try:
        address, _ = service.ready()
        with Client(address, timeout=30) as client:
            told = client.enroll("first", "ada", [ImageSample(face(1, shot)) for shot in range(2)]).person
        service.kill()
        service = Service(place, scene.bundle, folder / "third.log")
        address, _ = service.ready()
        with Client(address, timeout=30) as client:
            if client.get_person("first", "ada") != told:
                scene.findings.add("lost", "the first person of a new store")
    except CountersignError as error:
        scene.findings.add("unforeseen", f"a store whose first start was killed cannot be used: {error}")
    finally:
        service.kill()


def _killed_upgrade(scene: Scene, place: Place) -> None:
    upgrading = command("db", "upgrade", *place.flags, stderr=scene.file("log"))
    time.sleep(scene.draw.uniform(0.3, 2.0))
    kill(upgrading)
    again = command("db", "upgrade", *place.flags, stderr=scene.file("log"))
    if again.wait():
        scene.findings.add("unforeseen", "`countersign db upgrade` cannot be repeated after it was killed")
