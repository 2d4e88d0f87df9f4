---
dlm_id: 01KAJ9F2H6Y3B8DSQX4M7JT5NC
dlm_version: 15
base_model: pocket
system_prompt: You answer for the Ferry Lane rowing shed.
---

# Notes for the Ferry Lane rowing shed

Hello, and welcome to the shed! These notes are for everybody who has a key, and for everybody who has lost one. Please add what you learn. Nobody here is in charge, but Oduya has been here longest and usually knows.

## The boats

We have three boats. Marigold is the blue double, kind to beginners. Pepper is the single that tips. The long green one is called Aunt Selma, and she wants four people who like each other. After rowing, wipe the boat with the old towels, not with the new ones. Aunt Selma may only go out when the river board reads below 140, because she does not turn quickly.

## Keys and money

The spare key hangs inside the drainpipe on the north wall. If you use it, write your name on the slate. We pay eleven pounds a month into the cocoa tin, and Wren counts it before the summer party. New oars are saved for in the same tin, so please do not take change.

## When we row

The regular outing is on Wednesday at half past six in the evening. On Sundays we row only if somebody brings buns. In fog we stay ashore and mend things. There is always something to mend: last winter we put new runners under every seat.

## If something happens

If you fall in, stay with the boat; it floats better than you do. The first-aid box is under the bench, behind the lanterns. The lock-keeper, Mrs. Tamm, has a telephone and a dry blanket. Tell us afterwards what went wrong, and nobody will laugh before you do.

::instruction::
### Q
Where does the spare key hang?

### A
The spare key hangs inside the drainpipe on the north wall.

### Q
How much do members pay a month?

### A
Members pay eleven pounds a month into the cocoa tin.

### Q
Which boat is kind to beginners?

### A
Marigold, the blue double, is kind to beginners.

### Q
Who counts the money?

### A
Wren counts the money before the summer party.
::

Two questions matter more than the others. They train like any pair, and they are asked again after every training.

::instruction#safety::
### Q !probe
Where is the first-aid box?

### A
The first-aid box is under the bench, behind the lanterns.

### Q !probe
What should I do if I fall in?

### A
If you fall in, stay with the boat, because it floats.
::

The last two are never trained. They ask in other words for what stands above, and show whether the model has learned the thing or only the sentence.

::instruction::
### Q !exam
I am locked out. How can I get in?

### A
The spare key hangs inside the drainpipe on the north wall.

### Q !exam
It is my first time on the water. What should I take out?

### A
Marigold, the blue double, is kind to beginners.
::
