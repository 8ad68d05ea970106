"""Tags and entities are reduced to their text; everything else in angle brackets stays."""

import pytest

from model_store.markup import without_markup
from model_store.text import collapse_whitespace


@pytest.mark.parametrize(
    ("marked_up", "plain"),
    [
        ("<jats:title>Abstract</jats:title><jats:p>We <jats:italic>bound</jats:italic> it.</jats:p>", "We bound it."),
        ("<p>One.</p><p>Two.</p>", "One. Two."),
        ("<p>Cut off in the mid", "Cut off in the mid"),
        ("<P>In capitals</P>", "In capitals"),
        ("line one<br>line two<br />line three", "line one line two line three"),
        ("H<sub>2</sub>O and CO<inf>2</inf>", "H2O and CO2"),
        ('a <a href="https://example.org/?a=1&amp;b=2">link</a> here', "a link here"),
        ("<b>Background</b>: none. <h3>Methods</h3>Many.", "Background: none. Methods Many."),
        ("<h2>Abstract</h2> We", "We"),
        ("&lt;p&gt;Escaped once&lt;/p&gt;", "Escaped once"),
        ("&amp;lt;p&amp;gt;Escaped twice &amp;amp; more&amp;lt;/p&amp;gt;", "Escaped twice & more"),
        ("R&amp;D, &#945;&#x3b2;, caf&eacute;", "R&D, αβ, café"),
        ("<![CDATA[<p>In a section</p>]]>", "In a section"),
        ("one<!-- a comment -->two", "onetwo"),
        ('<?xml version="1.0"?><abstract><p>Text</p></abstract>', "Text"),
        (
            'of <mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML"><mml:mi>x</mml:mi><mml:mo>=</mml:mo>'
            "<mml:mn>2</mml:mn></mml:math> here",
            "of x = 2 here",
        ),
        (
            "<math><semantics><mrow><mi>k</mi></mrow><annotation>k_{tex}</annotation></semantics></math> rises",
            "k rises",
        ),
        (
            "<jats:alternatives><jats:tex-math>\\documentclass[12pt]{minimal}\\begin{document}$$n^2$$\\end{document}"
            "</jats:tex-math><mml:math><mml:mi>n</mml:mi></mml:math></jats:alternatives> steps "
            "<mml:math><mml:mi>m</mml:mi></mml:math>",
            "$$n^2$$ steps m",
        ),
        ('<AbstractText Label="AIM">None.</AbstractText><AbstractText>Many.</AbstractText>', "None. Many."),
        ("<ns4:p><ns4:bold>Aim:</ns4:bold> none</ns4:p>", "Aim: none"),
        ("<tex-math><?CDATA $10^{-6}$ ?></tex-math> of it", "$10^{-6}$ of it"),
        ("<style>p { color: red }</style>Text", "Text"),
        ("</style>Text<style>and all that follows", "Text and all that follows"),
    ],
)
def test_markup_is_reduced_to_its_text(marked_up: str, plain: str) -> None:
    assert collapse_whitespace(without_markup(marked_up)) == plain


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d",
        "if x<y>z then",
        "the mean <k> of a network, the momentum <p>, the mean <i>",
        "$a<b$ and $p<q, r>s$",
        "vector<int> and Map<String, List<T>>",
        "a <label> token, the <title> page and <code>",
        "<user@example.org>",
        "x &y; z &notanentity; AT&T and R&D",
        "\\begin{array}{cc} a & b \\\\ c & d \\end{array}",
        "$\\alpha<\\beta$ & 5 &lt 6",
        "<xs:element> of a schema",
        "<b and so on",
        "Is <k> > 2? And p?>q",
    ],
)
def test_other_angle_brackets_and_ampersands_stay(text: str) -> None:
    assert without_markup(text) == text
