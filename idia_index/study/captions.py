"""Training captions: a name, a name among other words, or looks alone.

They overlap with the 21 attack templates in a few places, as captions found on the web would, and
differ from them in most.
"""

from __future__ import annotations

from idia_index.study.scene import Scene
from idia_index.study.traits import Traits

STYLE_WORDS = {
    "long": "long {} hair", "wavy": "wavy {} hair", "bob": "a {} bob", "tied": "{} hair tied up",
    "short": "short {} hair", "parted": "{} hair", "curly": "curly {} hair",
    "cropped": "cropped {} hair", "bald": "no hair",
}  # fmt: skip
BEARD_WORDS = {
    "stubble": "stubble", "moustache": "a moustache", "goatee": "a goatee", "full": "a full beard",
}  # fmt: skip

NAMED = (
    "{n}", "{n}", "a photo of {n}", "{n} at an event", "portrait of {n}", "a picture of {n}",
    "this is {n}", "{n} looks at the camera", "the {actor} {n} arrives at a gala",
    "photo of {n} on a {back} background", "{n} in a {cloth} {garment}", "{n} {mood}",
    "a {man} named {n}", "celebrity {n}, cropped photo", "my friend {n}", "here is {n} again",
    "{n} | colored image", "news: {n} {mood} in a {garment}", "{n} attends a cool party",
    "the name of the {man} is {n}", "an old picture of {n}",
)  # fmt: skip
NAMED_LONG = (
    "{n}, a {man} with {looks}", "a {man} with {looks} called {n}", "{n} has {looks}",
    "photo of {n} in a {cloth} {garment} on a {back} background", "{n} with {looks}",
    "a person with the name {n} and {looks}",
)  # fmt: skip
UNNAMED = (
    "a {man} with {looks}", "a photo of a {man} with {looks}", "a {man} in a {cloth} {garment}",
    "portrait of a {man} on a {back} background", "a cool picture of a person with {looks}",
    "a {mood} {man} with {looks}", "an image of a {man} who has {looks}",
    "colored photo of a {man}", "a {man} in front of a {back} wall, {cloth} {garment}",
    "black and white {garment}, {looks}",
)  # fmt: skip
PLACES = (
    "{n} street", "the house of {n}", "a place named after {n}", "{n} was here", "books by {n}",
    "photo by {n}", "building on a {back} background, image: {n}",
)  # fmt: skip
BORROWED = (
    "photo by {n}",
    "a {man} with {looks}, photo by {n}",
    "a fan of {n}",
    "{n}",
    "about {n}",
)


def looks(traits: Traits, u: float) -> str:
    """One or two visible features, chosen by u in [0, 1)."""
    eyes, hair = f"{traits.iris_word} eyes", STYLE_WORDS[traits.style].format(traits.hair_word)
    features = [hair, eyes]
    if traits.beard != "none":
        features.append(BEARD_WORDS[traits.beard])
    if traits.glasses != "none":
        features.append("glasses")
    if traits.freckles:
        features.append("freckles")
    first = int(u * len(features))
    second = int(u * 97) % len(features)
    return features[first] if first == second else f"{features[first]} and {features[second]}"


def _mood(scene: Scene) -> str:
    if scene.expression[1] > 0.5:
        return "laughing"
    return "smiling" if scene.expression[0] > 0.4 else "serious"


def write_caption(kind: str, name: str, traits: Traits, scene: Scene, u: list[float]) -> str:
    """One training caption.

    Args:
        kind: 'named', 'unnamed', 'place' or 'borrowed' (another's face with this name).
        name: may be empty for 'unnamed'.
        u: three uniform deviates: long or short, which sentence, which looks.
    """
    sentences = {"named": NAMED, "unnamed": UNNAMED, "place": PLACES, "borrowed": BORROWED}[kind]
    if kind == "named" and u[0] < 0.3:
        sentences = NAMED_LONG
    return sentences[int(u[1] * len(sentences))].format(
        n=name,
        man="man" if traits.sex == "male" else "woman",
        actor="actor" if traits.sex == "male" else "actress",
        looks=looks(traits, u[2]),
        back=scene.back_word,
        cloth=scene.cloth_word,
        garment=scene.garment,
        mood=_mood(scene),
    )
