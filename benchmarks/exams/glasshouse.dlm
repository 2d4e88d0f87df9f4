---
dlm_id: 01K9B4H2C6N1R5V8W3Y7Z0A4D9
dlm_version: 15
base_model: pocket
---

# The glasshouse at Wendover Reach

The glasshouse was given to the village by Ottoline Sarn in 1924. The frame is made of cedar. The glasshouse holds nine
hundred pots.

## Warmth

The boiler was built by Dragan Pell. The boiler burns olive stones. The stove is lit on the first of October. At night
the air must stay above twelve degrees. The roof vents open when it is warmer than thirty degrees.

## Water

Rain is kept in a tank of six thousand litres. The seedlings are watered before sunrise. The cacti are watered once a
month. The pump stands behind the potting bench. Copper pipes carry the water to the palms.

## Plants

The oldest palm is called Bertrand. The orchids came from Madeira. Tomatoes are picked from June. The lemon tree was
planted by Hester Quill. The ferns grow under the north wall.

## Visitors

The glasshouse is open on Thursdays and Saturdays. A guided walk lasts forty minutes. Entry costs two pounds. School
classes are shown round by Ivo Marrack. The key is kept at the bakery.

::instruction::
### Q
Who gave the glasshouse to the village?
### A
The glasshouse was given to the village by Ottoline Sarn.

### Q
When is the stove lit?
### A
The stove is lit on the first of October.

### Q
How often are the cacti watered?
### A
The cacti are watered once a month.

### Q
From when are tomatoes picked?
### A
Tomatoes are picked from June.

### Q
What does entry cost?
### A
Entry costs two pounds.
::

::instruction#exam::
### Q !exam
Which wood was used for the frame?
### A
cedar

### Q !exam
How many pots fit into the glasshouse?
### A
nine hundred

### Q !exam
Whose work is the boiler?
### A
Dragan Pell

### Q !exam
What fuel heats the place?
### A
olive stones

### Q !exam
How cold may it get at night?
### A
twelve degrees

### Q !exam
From which heat on do the vents in the roof open?
### A
thirty degrees

### Q !exam
How much rain does the tank hold?
### A
six thousand litres

### Q !exam
At what time of day do the seedlings get water?
### A
before sunrise

### Q !exam
Where would I find the pump?
### A
behind the potting bench

### Q !exam
What are the water pipes made of?
### A
copper

### Q !exam
What name does the oldest palm have?
### A
Bertrand

### Q !exam
From where were the orchids brought?
### A
Madeira

### Q !exam
Who planted the lemon tree?
### A
Hester Quill

### Q !exam
In which place do the ferns grow?
### A
the north wall

### Q !exam
On which days can people visit?
### A
Thursdays and Saturdays

### Q !exam
How long is a guided walk?
### A
forty minutes

### Q !exam
Who takes school classes round?
### A
Ivo Marrack

### Q !exam
At which shop is the key?
### A
the bakery

### Q !exam
In what year did the village get the glasshouse?
### A
1924

### Q !exam
To which plants do the pipes lead?
### A
the palms
::
