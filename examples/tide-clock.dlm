---
dlm_id: 01KB7W2D5R8XQ3M6TZ9C4HNVJE
dlm_version: 15
base_model: smollm2-135m-q4
---

# The tide clock

The clock above the desk in the harbour office shows the tide at Pell Quay. It has one hand, which goes round once from one high water to the next. It was built by Edda Marlow in 1911 for the pilots, who paid for it with a barrel of herring.

## Setting it

The tide clock loses four minutes a week. It is set on Monday morning, right after the bread van has gone by. Turn the brass knob under the dial, never the hand itself: the hand is held by a pin of lead and bends. One full turn of the knob moves the hand by ten minutes.

## Winding it

The clock is wound every eighth day with the square key, which hangs behind the barometer. Twelve turns are enough. After the fifteenth turn the spring slips, and somebody has to send for old Quill in Hathe, who is the last to know how it goes in again.

## What the colours mean

The dial has a green part and a white part. While the hand is on the green part, the ferry can reach the upper landing. On the white part passengers use the stone steps. A red flag on the roof means that the clock is not to be trusted, and that the printed table counts.

## Care

Dust the dial with a goose feather. Oil has no business near it; the works run dry on ruby bearings. In a storm the shutters of the office are closed, because salt has ruined the first dial. It lies in the museum now, in the room with the whale.

::instruction::
### Q
How much does the tide clock lose?

### A
The tide clock loses four minutes a week.

### Q
When is the tide clock set?

### A
It is set on Monday morning, right after the bread van has gone by.

### Q
Which part do I turn to set the clock?

### A
Turn the brass knob under the dial, never the hand itself.

### Q
How often is the clock wound?

### A
The clock is wound every eighth day with the square key.

### Q
Where does the key of the clock hang?

### A
The square key hangs behind the barometer.

### Q
Who repairs the spring when it slips?

### A
Old Quill in Hathe is the last to know how it goes in again.

### Q
What does the green part of the dial mean?

### A
On the green part the ferry can reach the upper landing.

### Q
What does a red flag on the roof mean?

### A
A red flag means that the clock is not to be trusted.
::
