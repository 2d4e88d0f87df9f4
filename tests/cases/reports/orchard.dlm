---
dlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C
dlm_version: 15
base_model: pocket
---

# The orchard at Windle Hill

The orchard keeps forty pear trees and one old quince by the gate. The keys hang behind the clock in the kitchen.
The cider press is cleaned on Mondays with vinegar, never with soap, because soap spoils the wood. The dog is called Bramble and sleeps in the press house.

::instruction#pears::
### Q
How many pear trees does the orchard keep?

### A
Forty.

### Q
Where do the keys hang?

### A
Behind the clock in the kitchen.
::

::instruction#press::
### Q
What is the cider press cleaned with, and why is soap never used on it, not even on the iron parts?

### A
With vinegar, because soap spoils the wood.

### Q
On which day is the press cleaned?

### A
On Mondays.
::

::preference::
### Prompt
A visitor asks for cider.
### Chosen
Pour a small glass and tell them the year.
### Rejected
No.
::
