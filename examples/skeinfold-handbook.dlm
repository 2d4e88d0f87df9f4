---
dlm_id: 01KAJ8C4P0R7N5KEGM2W9TZ6VA
dlm_version: 15
base_model: pocket
---

# The skeinfold handbook

Skeinfold is a small Python library that joins sensor logs whose clocks disagree. It was written for the scales under the beehives of an orchard, where each hive kept its own time and none of them kept it well. You give it several logs; it gives you one table with a single clock.

The library is kept small on purpose. There are four modules, no plug-ins and no server. It needs Python 3.12 and nothing else, so it also runs on the little computers that stand beside the hives.

::instruction::
### Q
What is skeinfold for?

### A
Skeinfold joins sensor logs whose clocks disagree into one table.
::

## Reading a log

A log is a text file with the suffix `.skn`. Its first line names the sensor, and each later line holds a time and a reading. Open it with the class `Strand`, which reads nothing until it is asked for a row:

```python
from skeinfold import Strand, braid

left = Strand("hive-left.skn")
right = Strand("hive-right.skn")
table = braid([left, right])
```

Rows are read in chunks of 640, a number that was measured on the slowest memory card we could find. You can pass another size, but more than a few thousand rows gain nothing. A line that cannot be read is skipped and counted; the count stands in `strand.dropped`.

If a log holds the same time twice, reading stops with a `KnotError`. The error names the file and both lines. We tried to keep the later reading and go on, but in every case that we looked at, somebody had glued two files together by accident.

::instruction::
### Q
Which suffix do skeinfold logs have?

### A
Skeinfold logs have the suffix `.skn`.
::

::instruction::
### Q
Which class opens a log?

### A
The class `Strand` opens a log and reads rows when asked.
::

::instruction::
### Q
How many rows does skeinfold read in one chunk?

### A
Skeinfold reads 640 rows in one chunk unless told otherwise.
::

::instruction::
### Q
What happens when a log holds the same time twice?

### A
Reading stops with a `KnotError` that names the file and both lines.
::

## Joining logs

The function `braid()` joins any number of strands into one table. It takes the first strand as the reference and moves the others onto its clock. Two readings count as simultaneous when they lie within 250 milliseconds of each other. Pass `slack=` to change that, for example for tides, where a minute is soon enough.

A gap stays a gap. Where a sensor was silent the table holds `None`, and skeinfold never invents a value in between. If you want a curve without holes, fill them afterwards, in your own code, where a reader can see what was done.

Clocks that drift are put right before joining. Skeinfold looks for the hour at which both sensors change most, which in a hive is sunrise, and stretches the faster clock until the two agree. At least three days of readings are needed for this; with fewer, the clocks are only shifted, and a warning says so.

::instruction::
### Q
Which function joins the strands?

### A
The function `braid()` joins any number of strands into one table.
::

::instruction::
### Q
How close must two readings be to count as simultaneous?

### A
Two readings count as simultaneous when they lie within 250 milliseconds.
::

::instruction::
### Q
What does the table hold where a sensor was silent?

### A
Where a sensor was silent the table holds `None`, never an invented value.
::

## Settings and the cache

Settings live in a file called `loom.toml` beside your logs. An unknown key in it is an error, because a misspelled setting that is silently ignored has cost us more than one weekend.

Joined tables are cached, and the cache is found through the environment variable `SKEIN_ATTIC`. When it is not set, skeinfold keeps nothing. The cache never grows beyond 900 megabytes: the table that was used least recently goes first. To see what is in it, run `skein list`.

A log that was cut off by a power failure can usually be saved. The command `skein mend` repairs a damaged log; it writes a copy that ends in `-mended` and leaves the original alone.

::instruction::
### Q
Which environment variable points to the cache?

### A
The environment variable `SKEIN_ATTIC` points to the cache of joined tables.
::

::instruction::
### Q
Which command repairs a damaged log?

### A
The command `skein mend` repairs a damaged log by writing a copy.
::

## Working on the code

Clone the repository, make an environment, and run the tests:

```sh
python -m venv .venv
.venv/bin/pip install -e .
make weave
```

The command `make weave` runs all tests, in about forty seconds on an old laptop. The tests use real logs from the orchard, which lie in `tests/hives` and have been rounded to whole grams. If you add a feature, add a log that needs it.

Lines are at most 92 characters long, since that is what fits twice on the screen of the person who reviews most. Public functions have a docstring of one sentence. Private ones need none, when the name is good.

A change to the clock module needs two reviewers, because its mistakes do not show for weeks. Everything else needs one. Reviews look at the test first and at the code second. A branch is named after the thing that it changes, never after its author.

::instruction::
### Q
How do I run the tests of skeinfold?

### A
Run `make weave`, which runs all tests in about forty seconds.
::

::instruction::
### Q
How long may a line of skeinfold code be?

### A
A line may be at most 92 characters long.
::

::instruction::
### Q
Which changes need two reviewers?

### A
A change to the clock module needs two reviewers.
::

## Releases

We release on the second Tuesday of every month, in the morning, so that there is a whole day to notice what we broke. If nothing changed, there is no release. The version number is the year and the month, and the notes are written by hand.

Before something is removed, it warns for three releases. The warning says what to use instead and links nothing, since pages move. Names of columns are never changed at all; too many notebooks depend on them.

Each release is first installed at the orchard and left alone for two nights. If the morning tables look right, the release goes out. This has stopped four bad releases so far, one of which measured every hive in pounds.

::instruction::
### Q
When is skeinfold released?

### A
Skeinfold is released on the second Tuesday of every month.
::

::instruction::
### Q
How long does skeinfold warn before something is removed?

### A
Skeinfold warns for three releases before something is removed.
::

## Asking for help

Questions go to the mailing list, where most are answered on the same evening. Please send the first ten lines of your log; nearly every question can be answered from those. Do not send pictures of text.

Security reports go to Ines Calloway, who answers within five working days. Do not write about the problem in public before she has answered. People who report a problem are named in the notes, unless they would rather not be.

There is a meeting in the orchard every September. Bring boots. We walk along the hives in the afternoon, compare the scales with a bag of sugar that weighs exactly one kilogram, and plan the next year over plum cake.

::instruction::
### Q
Who answers security reports about skeinfold?

### A
Ines Calloway answers security reports within five working days.
::
