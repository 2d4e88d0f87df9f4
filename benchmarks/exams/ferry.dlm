---
dlm_id: 01K9B3V7F0M4S8Q2T6W1X5Y9Z3
dlm_version: 15
base_model: pocket
---

# The Hallet ferry

The Hallet ferry was built by Osric Tennant in 1931. The hull is made of larch. The ferry carries forty passengers and
six bicycles.

## Crossings

The first crossing leaves Hallet Pier at seven o'clock. The last crossing leaves at half past nine. A crossing takes
eleven minutes. The ferry does not sail when the wind is stronger than fifty knots. On Sundays the ferry sails only
after noon.

## Fares

A single ticket costs three pounds. Children under twelve travel free. A bicycle costs ninety pence. Season tickets are
sold by Mirela Dunn in the yellow kiosk. Dogs need a ticket of one pound.

## The engine

The engine was made by the Corvane works in Brannock. The engine burns rapeseed oil. The tank holds four hundred litres.
The engine is serviced every second Tuesday. The spare propeller hangs in the net shed.

## The crew

The captain is called Ansel Vray. The deckhand Ruth Ibbot collects the tickets. The bell is rung three times before the
ferry leaves. The life jackets lie under the green benches.

::instruction::
### Q
Who built the Hallet ferry?
### A
The Hallet ferry was built by Osric Tennant.

### Q
How long does a crossing take?
### A
A crossing takes eleven minutes.

### Q
What does a single ticket cost?
### A
A single ticket costs three pounds.

### Q
How many bicycles does the ferry carry?
### A
The ferry carries six bicycles.

### Q
Where does the Corvane works lie?
### A
The Corvane works lies in Brannock.
::

::instruction#exam::
### Q !exam
What wood is the hull of the ferry?
### A
larch

### Q !exam
How many people can the ferry take?
### A
forty passengers

### Q !exam
At what time is the earliest crossing?
### A
seven o'clock

### Q !exam
When is the final crossing of the day?
### A
half past nine

### Q !exam
Which wind stops the ferry?
### A
fifty knots

### Q !exam
From when does the ferry run on a Sunday?
### A
after noon

### Q !exam
Up to what age do children pay nothing?
### A
under twelve

### Q !exam
What must I pay to bring my bicycle?
### A
ninety pence

### Q !exam
Where can I buy a season ticket?
### A
the yellow kiosk

### Q !exam
What is the fare of a dog?
### A
one pound

### Q !exam
Which firm made the engine?
### A
the Corvane works

### Q !exam
What fuel does the engine use?
### A
rapeseed oil

### Q !exam
How big is the tank?
### A
four hundred litres

### Q !exam
On which day is the engine looked after?
### A
every second Tuesday

### Q !exam
Where do they keep the spare propeller?
### A
the net shed

### Q !exam
What is the name of the captain?
### A
Ansel Vray

### Q !exam
Who takes the tickets on board?
### A
Ruth Ibbot

### Q !exam
How often is the bell rung before leaving?
### A
three times

### Q !exam
Where are the life jackets?
### A
under the green benches

### Q !exam
In which year was the ferry made?
### A
1931
::
