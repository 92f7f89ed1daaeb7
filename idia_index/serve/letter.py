"""A letter to the provider of a model, from whoever was tested."""

from __future__ import annotations

from idia_index.report.documents import AuditResult
from idia_index.report.format import p_value

_ACCESS = """\
I ask for access under Article 15 of Regulation (EU) 2016/679 (GDPR):

1. whether personal data about me, photographs and captions with my name included, were used to
   train this model;
2. if so, a copy of these data, where they came from, and to whom they were given;
3. for what purpose and on what legal basis they were used, and for how long they are kept."""
_ERASURE = """\
I ask for erasure under Article 17 of Regulation (EU) 2016/679 (GDPR), and object to further
processing under Article 21:

1. erase my photographs, and captions with my name, from the training data and from copies that you
   gave to others, whom I ask you to inform (Article 19);
2. do not use them to train this model's successors;
3. say what you do about what the model itself has kept of them, and how you verify it."""


def letter(result: AuditResult, *, erasure: bool) -> str:
    """A draft with blanks: what was found, no more than it shows, and what is asked for.

    Args:
        result: of one person.
        erasure: asks for erasure and objects; else for access.
    """
    (person,) = result.subjects
    model = result.index.fingerprint
    p = "" if person.p_value is None else f" (p = {p_value(person.p_value)}, {person.p_value_of})"
    return f"""\
[Your name and address]

To: [provider of the model, data protection officer]

[date]

{"Erasure of my data and objection" if erasure else "Access to my data"}: model {model.architecture}

Dear Sir or Madam,

you provide or use the model {model.architecture} (SHA-256 of its weights:
{model.weights_sha256}).
I tested it with photographs of myself by a published method (Hintersdorf et al., "Does CLIP Know
My Face?", Journal of Artificial Intelligence Research 80, 2024). In {person.correct_prompts} of
{len(result.templates)} prompts it chose the name "{person.name}" for {person.images} of my
photographs, among {result.candidates:,} names{p}.
{_says(person.inferred_member)}

{_ERASURE if erasure else _ACCESS}

Please answer within one month (Article 12(3)). To establish who I am I offer [what you offer].

Yours faithfully,

{person.name}
"""


def _says(associated: bool) -> str:
    if associated:
        return (
            "The model associates my face with my name. That is evidence, not proof, that\n"
            "photographs of me were among its training data together with my name."
        )
    return (
        "The test found no association of my face with my name. It often misses people who\n"
        "were in the training data, so that I ask you, who know these data."
    )
