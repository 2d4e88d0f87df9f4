"""The style of the report: one sheet, for light and dark, wide and narrow, screen and paper."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root {
  color-scheme: light dark;
  --paper: #faf9f6; --card: #ffffff; --ink: #20242a; --soft: #565e69; --rule: #e3dfd7;
  --accent: #2b5c8a; --accent-soft: #dbe6f0; --faint: #b9c6d3;
  --learned: #17694f; --learned-bg: #e4f2ec; --learned-fill: #3f9c7c;
  --partly: #7d5700; --partly-bg: #faf0d7; --partly-fill: #dcae46;
  --not: #9a3526; --not-bg: #fae8e4; --not-fill: #cf7362;
  --none: #565e69; --none-bg: #f1efea; --none-fill: #c3c0b9;
  --s0: #2b5c8a; --s1: #3f9c7c; --s2: #dcae46; --s3: #cf7362; --s4: #8d7bb5; --s5: #8a939e;
  --on-s0: #fff; --on-s1: #10251d; --on-s2: #2b2107; --on-s3: #2d0f09; --on-s4: #15101f;
  --on-s5: #14171a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --card: #1b1f25; --ink: #e8e6e1; --soft: #a8afb9; --rule: #323942;
    --accent: #8fbbe3; --accent-soft: #22364a; --faint: #40566c;
    --learned: #7fd3b1; --learned-bg: #16302a; --learned-fill: #4fae8b;
    --partly: #e8c26b; --partly-bg: #332a12; --partly-fill: #c79a35;
    --not: #f2a394; --not-bg: #3a1f1a; --not-fill: #d2705e;
    --none: #a8afb9; --none-bg: #23282f; --none-fill: #59616b;
    --s0: #6d9fcb; --s1: #4fae8b; --s2: #c79a35; --s3: #d2705e; --s4: #a293cc; --s5: #7f8893;
    --on-s0: #0d1822;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  overflow-wrap: anywhere;
}
main, header, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem; }
h1, h2, h3, h4 { line-height: 1.2; text-wrap: balance; }
h1, h2 { font-family: Charter, "Iowan Old Style", Georgia, "Noto Serif", serif;
  font-weight: 600; }
h1 { font-size: clamp(1.9rem, 1.4rem + 2.4vw, 2.9rem); margin: 0 0 .4rem;
  letter-spacing: -.01em; }
h2 { font-size: 1.65rem; margin: 0 0 .3rem; }
h3 { font-size: 1.0625rem; margin: 0 0 .25rem; }
h4 { font-size: .95rem; margin: .9rem 0 0; }
p { margin: 0 0 .8rem; }
a { color: var(--accent); }
a:focus-visible, summary:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: .5rem 1rem; z-index: 1; }
header { padding-top: 3rem; }
.over { color: var(--soft); margin: 0 0 .5rem; font-size: .95rem; }
.lede {
  font-size: clamp(1.1rem, 1.02rem + .4vw, 1.25rem); line-height: 1.6; max-width: 46rem;
  margin: 1.2rem 0 1.6rem;
}
nav ul { display: flex; flex-wrap: wrap; gap: .3rem 1.3rem; list-style: none; padding: .8rem 0;
  margin: 0; border: solid var(--rule); border-width: 1px 0; font-size: .95rem; }
nav a { text-decoration: none; } nav a:hover { text-decoration: underline; }
section.part { padding: 3rem 0 .5rem; }
.lead { color: var(--soft); max-width: 46rem; margin-bottom: 1.3rem; }
.soft { color: var(--soft); } .small { font-size: .9rem; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: .8rem;
  padding: 1.1rem 1.25rem; }
.grid { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); }
.grid.tiles { grid-template-columns: repeat(auto-fit, minmax(min(100%, 10.8rem), 1fr)); }
.tile .value { font: 600 2rem/1.15 Charter, "Iowan Old Style", Georgia, serif;
  margin: .1rem 0 .2rem;
  font-variant-numeric: lining-nums; }
.tile .name { font-weight: 600; } .tile h4 { font-size: .95rem; margin: .9rem 0 0; }
p { margin: 0; }
.tile .note { color: var(--soft); font-size: .9rem; line-height: 1.45; }
.meter { display: block; width: 100%; height: auto; max-width: 15rem; margin: .35rem 0 .25rem; }
.meter .track { fill: var(--rule); } .meter .band rect { fill: var(--faint); }
.meter .dot { fill: var(--accent); stroke: var(--card); stroke-width: 2; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  fill: var(--soft); }
svg .row { fill: var(--ink); font-size: 13px; } svg .number { font-weight: 600; }
svg line.grid { stroke: var(--rule); stroke-width: 1; }
svg .curve { fill: none; stroke: var(--accent); stroke-width: 2.25; stroke-linejoin: round; }
svg .faint { fill: none; stroke: var(--faint); stroke-width: 1; }
svg .bound { stroke: var(--not); stroke-width: 1.5; stroke-dasharray: 5 4; }
svg .boundname { fill: var(--not); }
svg .whisker { stroke: var(--accent); stroke-width: 5; opacity: .3; stroke-linecap: round; }
svg .point { fill: var(--accent); stroke: var(--card); stroke-width: 1.5; }
svg .point.cross { fill: none; stroke: var(--not); stroke-width: 2.5; }
svg .point.square { fill: var(--card); stroke: var(--partly); stroke-width: 2; }
svg .point.triangle { fill: var(--learned-fill); }
svg .ring { fill: none; stroke: var(--accent); stroke-width: 1.75; }
svg .held { fill: var(--card); stroke: var(--ink); stroke-width: 1.5; }
svg .answers { fill: var(--partly-fill); stroke: var(--card); stroke-width: 1; }
svg .track { fill: var(--none-bg); } svg .bar { fill: var(--accent); }
.stack { display: flex; gap: 2px; height: 2.4rem; border-radius: .4rem; overflow: hidden; }
.stack span { display: grid; place-items: center; font-weight: 700; min-width: 2px; }
.stack .s0 { background: var(--s0); color: var(--on-s0); }
.stack .s1 { background: var(--s1); color: var(--on-s1); }
.stack .s2 { background: var(--s2); color: var(--on-s2); }
.stack .s3 { background: var(--s3); color: var(--on-s3); }
.stack .s4 { background: var(--s4); color: var(--on-s4); }
.stack .s5 { background: var(--s5); color: var(--on-s5); }
figure { margin: 0; } figcaption { font-size: .9rem; color: var(--soft); margin-top: .4rem; }
figure > h3 { margin-bottom: .5rem; }
.key { display: inline-block; width: 1.1em; text-align: center; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
caption { text-align: left; color: var(--soft); padding: .2rem 0 .5rem; }
th, td { text-align: left; padding: .4rem .9rem .4rem 0; border-bottom: 1px solid var(--rule);
  vertical-align: top; overflow-wrap: normal; }
th { font-weight: 600; } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
details { margin: .5rem 0 0; } summary { cursor: pointer; color: var(--accent);
  padding: .2rem 0; }
details .wide { margin-top: .4rem; }

.strip { height: 2rem; width: 100%; border-radius: .3rem; }
.strip .k.learned { fill: var(--learned-fill); } .strip .k.partly { fill: var(--partly-fill); }
.strip .k.not { fill: var(--not-fill); } .strip .k.none { fill: var(--none-fill); }
.strip .h { fill: none; } .strip .h.partly { fill: url(#hatch-partly); }
.strip .h.not { fill: url(#hatch-not); } .hatch { stroke: var(--card); stroke-width: 1.6;
  opacity: .75; }
.legend { display: flex; flex-wrap: wrap; gap: .4rem .9rem; margin: .8rem 0 1.4rem; padding: 0;
  list-style: none; }
.chip { display: inline-flex; align-items: baseline; gap: .4em; border-radius: 99rem;
  font-size: .85rem;
  font-weight: 600; padding: .12rem .7rem; white-space: nowrap; color: var(--none);
  background: var(--none-bg); border: 1px solid currentColor; }
.chip.learned { color: var(--learned); background: var(--learned-bg); }
.chip.partly { color: var(--partly); background: var(--partly-bg); }
.chip.not { color: var(--not); background: var(--not-bg); }
.chip.plain { border-color: var(--rule); font-weight: 500; }
article.sec { background: var(--card); border: 1px solid var(--rule);
  border-left: .4rem solid var(--none-fill);
  border-radius: .5rem; padding: .9rem 1.1rem 1rem; margin: 0 0 .9rem; }
article.sec.learned { border-left-color: var(--learned-fill); background:
  color-mix(in srgb, var(--learned-bg) 55%, var(--card)); }
article.sec.partly { border-left: .4rem dashed var(--partly-fill); background:
  color-mix(in srgb, var(--partly-bg) 55%, var(--card)); }
article.sec.not { border-left: .4rem double var(--not-fill); background:
  color-mix(in srgb, var(--not-bg) 55%, var(--card)); }
article.sec > .head { display: flex; flex-wrap: wrap; gap: .3rem .8rem; align-items: baseline;
  margin-bottom: .55rem; }
article.sec > .head h3 { margin: 0; flex: 1 1 9rem; min-width: 0; }
h3 .soft { font-weight: 400; }
ul.pairs > li:last-child { padding-bottom: 0; }
.text { white-space: pre-wrap; font-family: Charter, "Iowan Old Style", Georgia, serif; margin: 0;
  max-width: 46rem; }
.text .h { font-weight: 700; }
ul.pairs { list-style: none; margin: 0; padding: 0; }
ul.pairs > li { padding: .6rem 0; border-top: 1px solid var(--rule); display: grid;
  grid-template-columns: minmax(0, 1fr) auto; gap: .1rem 1rem; }
ul.pairs > li:first-child { border-top: 0; padding-top: 0; }
.q { font-weight: 600; } .qa { grid-column: 1 / -1; margin: 0; white-space: pre-wrap; }
.qa b { font-weight: 500; color: var(--soft); }
.gain { list-style: none; padding: 0; margin: .6rem 0 0; }
.gain > li { padding: .55rem 0 .55rem 1.9rem; border-top: 1px solid var(--rule);
  position: relative; }
.gain > li::before { position: absolute; left: .2rem; font-weight: 700; }
.gain .up::before { content: "▲"; color: var(--learned); }
.gain .down::before { content: "▼"; color: var(--not); }
.gain .new::before { content: "+"; color: var(--accent); }
.why { border-left: .2rem solid var(--rule); padding-left: .8rem; margin: .7rem 0 0; }
dl.words { display: grid; grid-template-columns: minmax(8rem, auto) 1fr; gap: .4rem 1.4rem;
  margin: 0; }
dl.words dt { font-weight: 600; } dl.words dd { margin: 0; color: var(--soft); }
footer { color: var(--soft); font-size: .9rem; padding: 3rem 1.25rem 4rem; }
@media (max-width: 34rem) {
  header { padding-top: 1.6rem; } section.part { padding-top: 2.2rem; }
  .card { padding: .9rem 1rem; } .grid.tiles { grid-template-columns: 1fr 1fr; gap: .7rem; }
  .tile .value { font-size: 1.6rem; } article.sec { padding: .8rem .9rem; }
  dl.words { grid-template-columns: 1fr; gap: 0; } dl.words dd { margin-bottom: .6rem; }
  ul.pairs > li { grid-template-columns: 1fr; } ul.pairs .chip { justify-self: start; }
}
@media print {
  :root { color-scheme: light; --paper: #fff; }
  body { font-size: 10.5pt; } nav, .skip { display: none; }
  section.part { padding-top: 1.4rem; }
  .card, article.sec, figure, li, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  details::details-content { content-visibility: visible; display: block; height: auto; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
"""
