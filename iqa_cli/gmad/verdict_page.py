"""The verdict as one self-contained page of HTML, for `iqa gmad --report`."""

from __future__ import annotations

from pathlib import Path

from iqa_cli import __version__
from iqa_cli.errors import ImageError
from iqa_cli.evaluation.competition import Attack, Estimate
from iqa_cli.gmad.conclusions import conclusions
from iqa_cli.gmad.session import Picture
from iqa_cli.gmad.verdict import Tally, Verdict, deciding
from iqa_cli.report.frame import document, section
from iqa_cli.report.markup import Heading, figure, number, table, text
from iqa_cli.report.misses import Thumbnails

#: Deciding pairs of an attack, and of all attacks of a page.
_PAIRS, _ALL_PAIRS, _FEWEST_PAIRS = 8, 160, 2

_STYLE = """
.duel { list-style: none; margin: .75rem 0; padding: 0; display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); }
.duel li { background: var(--card); border: 1px solid var(--rule); border-radius: 6px; padding: .6rem; }
.duel .two { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: .5rem; }
.duel img { display: block; width: 100%; height: 10rem; object-fit: contain; margin-bottom: .35rem; }
.duel p { margin: .15rem 0; font-size: .85rem; }
.duel .file, .duel .gone { color: var(--faint); font-size: .8rem; }
.scrolls { overflow-x: auto; }
.scrolls:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.votes { max-width: 60rem; }
.votes td:last-child:not(:nth-child(3)) { white-space: normal; min-width: 6rem; }
.said { font-size: 1.05rem; }
"""

_WORDS = """<section aria-labelledby="words"><h2 id="words">What the words mean</h2><dl>
<dt>Attack</dt><dd>Pairs of pictures that the defender scores alike and the attacker scores as far apart as
can be found in the pool. Votes are for the picture that the attacker prefers, for neither (even), or against
it.</dd>
<dt>Falsified</dt><dd>The model that the margin (votes for less votes against, as a share of all) speaks
against: the defender where its interval lies above 0, the attacker where it lies below.</dd>
<dt>Aggressiveness, resistance</dt><dd>How well a model's attacks succeed, and how well it withstands attacks,
against all others, by maximum likelihood on Thurstone's scale with mean 0 (Ma et al., Group Maximum
Differentiation Competition, IEEE TPAMI 42(4), 2020). An attack is withstood where the vote is not for the
attacker. Half a vote is added on each side of each comparison.</dd>
<dt>Interval</dt><dd>95 %, by a bootstrap that draws observers and pairs; where all votes of an attack are the
same, the exact one of as many unanimous pairs.</dd>
<dt>Left out</dt><dd>Observers who miss catch trials (pairs with an obvious answer), or who agree with the
others no better than chance while these agree. Neither looks at models.</dd>
</dl></section>
"""


def page(verdict: Verdict, *, command: str = "") -> str:
    """The whole page; the same votes give the same page.

    Args:
        verdict: What is shown.
        command: What gives it again; empty for none.

    Returns:
        HTML. Pictures that are not there any more are named without.
    """
    attacks = verdict.outcome.attacks
    limit = min(_PAIRS, max(_FEWEST_PAIRS, _ALL_PAIRS // max(1, len(attacks))))
    thumbnails = Thumbnails()
    sections = [
        section("said", "Verdict", [f'<p class="said">{text(line)}</p>' for line in conclusions(verdict)]),
        section("models", "Models", [_models(verdict)]),
        section("attacks", "Attacks", [_attacks(attacks)]),
        section(
            "pairs",
            "The pairs that decided it",
            [_duels(verdict, attack, place, limit, thumbnails) for place, attack in enumerate(attacks)],
        ),
        section("people", "Observers", [_observers(verdict)]),
    ]
    return _document(verdict, "".join([*sections, _WORDS]), command)


def _models(verdict: Verdict) -> str:
    rows = [
        [text(one.model), _estimate(one.aggressiveness), _estimate(one.resistance)]
        for one in verdict.outcome.standings
    ]
    columns = [Heading("model", "name"), Heading("aggressiveness"), Heading("resistance")]
    return _table("Below a figure its 95 % interval.", columns, rows)


def _attacks(attacks: tuple[Attack, ...]) -> str:
    heads = ("pairs", "votes", "for", "even", "against", "margin", "falsified")
    columns = [Heading("attacker &rarr; defender", "name"), *map(Heading, heads)]
    rows = [
        [
            f"{text(one.attacker)} &rarr; {text(one.defender)}",
            *map(str, (one.pairs, one.votes, one.won, one.even, one.lost)),
            _estimate(one.margin),
            "-" if one.falsified is None else f"<b>{text(one.falsified)}</b>",
        ]
        for one in attacks
    ]
    return _table("Votes of the observers who are not left out.", columns, rows)


def _observers(verdict: Verdict) -> str:
    heads = ("votes", "catch trials", "agreement", "left", "s per vote", "left out because")
    columns = [Heading("observer", "name"), *map(Heading, heads)]
    rows = []
    for one in verdict.observers:
        screened = one.screened
        catch = f"{screened.catch_right} of {screened.catch_total}" if screened.catch_total else "-"
        left = "-" if one.left is None else f"{100 * one.left:.0f} %"
        rows.append(
            [
                text(one.name),
                str(screened.votes),
                catch,
                number(screened.agreement, 2),
                left,
                number(one.seconds, 1),
                text(screened.reason or "-"),
            ]
        )
    caption = (
        "Agreement is the correlation with the mean of the others; sides were random, so left is near 50 %."
    )
    return _table(caption, columns, rows)


def _duels(verdict: Verdict, attack: Attack, place: int, limit: int, thumbnails: Thumbnails) -> str:
    """The pairs of one attack on which people were most of one mind."""
    title = f"{text(attack.attacker)} attacks {text(attack.defender)}"
    tallies = deciding(verdict, attack.attacker, attack.defender, limit)
    if not tallies:
        return f'<h3>{title}</h3><p class="note">On no pair was one side ahead.</p>\n'
    items = "".join(f"<li>{_duel(tally, thumbnails)}</li>" for tally in tallies)
    return f'<h3 id="duel{place}">{title}</h3>\n<ul class="duel">{items}</ul>\n'


def _duel(tally: Tally, thumbnails: Thumbnails) -> str:
    pair = tally.pair
    side = "with" if tally.margin > 0 else "against"
    counts = f"{tally.first} for the left, {tally.second} for the right, {tally.even} for neither"
    return (
        f'<div class="two">{_shown(pair.first, pair.attacker, pair.defender, thumbnails)}'
        f"{_shown(pair.second, pair.attacker, pair.defender, thumbnails)}</div>"
        f"<p><b>People are {side} the attacker</b>: {counts}.</p>"
        f'<p class="file">{text(pair.id)}, level {text(pair.level)}</p>'
    )


def _shown(picture: Picture, attacker: str, defender: str, thumbnails: Thumbnails) -> str:
    try:
        uri, width, height = thumbnails.of(Path(picture.path))
        image = f'<img src="{uri}" width="{width}" height="{height}" alt="picture {text(picture.name)}">'
    except ImageError as error:
        image = f'<p class="gone">no picture: {text(error.message)}</p>'
    scores = "".join(
        f"<p>{text(model)} <b>{number(picture.scores.get(model), 1)}</b></p>"
        for model in (attacker, defender)
    )
    opinion = "" if picture.mos is None else f"<p>MOS <b>{number(picture.mos, 1)}</b></p>"
    return f'<div>{image}{scores}{opinion}<p class="file">{text(picture.name)}</p></div>'


def _table(caption: str, columns: list[Heading], rows: list[list[str]]) -> str:
    """A table that scrolls by itself where the screen is narrower, by keys too."""
    name = columns[0].title
    shown = table(caption, columns, rows, "votes")
    return f'<div class="scrolls" tabindex="0" role="region" aria-label="{name}">{shown}</div>\n'


def _estimate(estimate: Estimate | None) -> str:
    return "-" if estimate is None else figure(estimate.value, estimate.interval, 2, 2)


def _document(verdict: Verdict, sections: str, command: str) -> str:
    competition = verdict.competition
    summary = (
        f"{verdict.votes:,} votes of {verdict.counted} of {len(verdict.observers)} observers on "
        f"{len(competition.mined):,} pairs out of {competition.images:,} pictures "
        f"({text(competition.source)}). {text(competition.scale_text)} Made by iqa {__version__}."
    )
    title = f"gMAD: {', '.join(competition.models)}"
    return document(
        title, "gMAD competition", summary, sections, skip="To the verdict", command=command, style=_STYLE
    )
