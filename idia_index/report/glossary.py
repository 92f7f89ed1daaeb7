"""The glossary of a report, for readers of other fields; the code's is `docs/glossary.md`."""

from __future__ import annotations

from idia_index.report.language import _


def glossary() -> list[tuple[str, str]]:
    """Each word and its meaning."""
    return [*_of_the_test(), *_of_the_figures(), *_of_the_files()]


def _of_the_test() -> list[tuple[str, str]]:
    return [
        (
            _("model"),
            _(
                "Here, a program such as CLIP that has learned from many pictures and their "
                "captions how well a text fits a picture."
            ),
        ),
        (_("candidate name"), _("One of the names among which the model chooses.")),
        (
            _("prompt"),
            _(
                'A sentence with a name in it, such as "a photo of Jane Doe"; a sentence with a '
                "gap for the name is a template."
            ),
        ),
        (
            _("correct prompts"),
            _(
                "The number of sentences in which the name that the model chose for the most "
                "photos is the person's own."
            ),
        ),
        (_("tau"), _("The number of correct prompts from which the rule says: associated.")),
        (_("association"), _("The model connects a face with a name.")),
        (
            _("evidence"),
            _(
                "A grade in addition to the rule (none, weak, clear): how rarely such an answer "
                "arises if the model does not know the person."
            ),
        ),
        (
            _("member, non-member"),
            _(
                "A person who was, or was not, in the training data; in the published studies, "
                "one whose name appears, or does not appear, in a caption."
            ),
        ),
    ]


def _of_the_figures() -> list[tuple[str, str]]:
    return [
        (_("true positive rate (TPR)"), _("Of the members, the share that the test finds.")),
        (
            _("false positive rate (FPR)"),
            _("Of the non-members, the share that the test takes for members."),
        ),
        (
            _("95% CI"),
            _(
                "Confidence interval: the range of rates that the number of people tested leaves "
                "plausible. The fewer people, the wider."
            ),
        ),
        (
            _("p (p-value)"),
            _(
                "How likely a name is to do at least this well if it means no more to the model "
                "than comparable names do. Small values are evidence of an association."
            ),
        ),
        (
            _("adjusted p"),
            _(
                "The same, corrected for the number of people tested: among many, some do well by "
                "chance."
            ),
        ),
        (
            _("control name"),
            _(
                "A comparable name that belongs to nobody in the photos; the person's own name is "
                "compared with it."
            ),
        ),
    ]


def _of_the_files() -> list[tuple[str, str]]:
    return [
        (_("embedding"), _(
            "The numbers by which a model represents a picture or a text. Those of a face are "
            "biometric data."
        )),
        (_("index"), _("The embeddings of all prompts, on disk.")),
        (_("SHA-256"), _(
            "A fingerprint of a file: if a single bit of the file changes, so does it."
        )),
        (_("replay"), _("Reproducing the report from its sources and comparing every figure.")),
    ]  # fmt: skip
