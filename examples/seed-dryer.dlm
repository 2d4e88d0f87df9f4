---
dlm_id: 01KAJ7V3M9S2QWE8R5T6Y0DBHX
dlm_version: 15
base_model: pocket
---

# The Otterby seed dryer

The Otterby is a small cabinet that dries garden seed so that it keeps for years. It was designed by Maud Garrow, a retired clockmaker, who lost a whole harvest of peas to mould and decided that it should not happen again. The first one was built from a biscuit tin. The model described here is the third, and it is made in a workshop above the harbour of Pell Quay.

The cabinet is about as large as a bread bin and weighs 4.6 kilograms. A slow fan draws room air through a filter, a heating plate warms it, and the warm air rises through the trays. The water that leaves the seed collects in a drawer at the bottom. Nothing inside gets hot enough to burn a finger, and the dryer may stay on overnight.

Six mesh trays fit into the cabinet, one above the other. Each tray takes one layer of seed, never two. The trays are numbered from the bottom, and the lowest dries fastest, so put the dampest seed there.

::instruction::
### Q
How many trays fit into the Otterby?

### A
Six mesh trays fit into the Otterby.
::

## Where to put it

Stand the dryer on a level shelf, with a hand's width of free space behind it. Do not put it in a shed that freezes. The room must be at least eleven degrees warm, because the heating plate cannot make up for colder air and the seed stays damp. A kitchen is fine, as long as the dryer does not stand beside a kettle.

The dryer runs on the grey power supply that comes with it, whose cable is 170 centimetres long. Do not use any other supply, even one whose plug fits. At full speed the fan is as loud as a person whispering across a table.

Before you move the dryer, lock the fan with the red key. The key hangs on the back of the cabinet. A fan that is not locked can jump off its spindle when the dryer is carried downstairs, and this is the most common repair.

::instruction::
### Q
How warm must the room be for the Otterby?

### A
The room must be at least eleven degrees warm.
::

::instruction::
### Q
What should I do before I move the dryer?

### A
Lock the fan with the red key before you move the dryer.
::

## The first run

Run the dryer once without seed, to drive off the smell of new paint. Open a window while it does so. After that it is ready for the garden.

Turn the wheel on the front to the kind of seed and press it once. The dryer takes nine minutes to warm up, and during that time the green light blinks. When the light stays on, slide in the trays. If you load the trays earlier, the seed sweats, and the run takes about an hour longer.

The wheel has eight settings. The last one, marked with a feather, is for flowers with very fine seed, such as poppies and foxgloves: it runs the fan at half speed so that nothing is blown about.

::instruction::
### Q
How long does the dryer take to warm up?

### A
The dryer takes nine minutes to warm up.
::

## Drying times

The times below are for seed that was rinsed and shaken. Seed that comes straight from a dry pod needs about half as long.

Lettuce seed needs fourteen hours. Tomato seed takes twenty hours, and it must be stirred once, or it sticks to the mesh. Beans need most care. They are dried at thirty-one degrees, which is lower than for anything else, because their skins crack in warmer air. Pumpkin seed is ready when it snaps; if it bends, give it three hours more.

When a run is over, the dryer plays two notes and the fan goes on at low speed until you open the door. Let the seed cool for half an hour before you put it into paper bags. A bag of charcoal in the same tin keeps it dry for the winter.

::instruction::
### Q
How long does lettuce seed need in the dryer?

### A
Lettuce seed needs fourteen hours in the dryer.
::

::instruction::
### Q
At what temperature are beans dried?

### A
Beans are dried at thirty-one degrees, so that their skins do not crack.
::

::instruction::
### Q
Why must tomato seed be stirred?

### A
Tomato seed must be stirred once, or it sticks to the mesh.
::

## Lights and sounds

The green light means that the dryer is working. The amber light means that the water drawer is full: pull it out, empty it, and push it back until it clicks. The drawer holds 80 millilitres, which is enough for four ordinary runs. If the amber light comes on with an empty drawer, the float is stuck, and a gentle shake will free it.

The two notes at the end of a run can be turned off. Hold the moon button for four seconds, and the dryer stays silent until you do the same again. The setting survives a power cut.

If something is wrong, the small window shows a code. Code E4 means that the fan is blocked, usually by a husk. Code E7 means that the door was opened during the first hour. The dryer remembers the last fifty codes, and a repairer can read them out.

::instruction::
### Q
What does the amber light on the dryer mean?

### A
The amber light means that the water drawer is full.
::

::instruction::
### Q
How do I turn off the sounds of the dryer?

### A
Hold the moon button for four seconds to turn off the sounds.
::

::instruction::
### Q
What does code E4 mean?

### A
Code E4 means that the fan is blocked, usually by a husk.
::

## Care

Wash the filter after every twenty runs. Rinse it under cold water, squeeze it, and let it dry on a windowsill for a day; never put it on a radiator, where it shrinks. A filter lasts for about three summers.

Clean the trays with weak vinegar and a soft brush. Soap leaves a film that the next seed picks up. Wipe the heating plate with a dry cloth only, and only when it is cold.

The fuse sits behind the left front foot. Unscrew the foot by hand, and the holder slides out. It takes a two-amp glass fuse, the kind sold for old radios. If a new fuse blows within a day, stop and write to the workshop.

::instruction::
### Q
How often should the filter be washed?

### A
The filter should be washed after every twenty runs.
::

::instruction::
### Q
What do I clean the trays with?

### A
Clean the trays with weak vinegar and a soft brush.
::

::instruction::
### Q
Where is the fuse of the dryer?

### A
The fuse sits behind the left front foot of the dryer.
::

## Warranty and repairs

The warranty lasts thirty months from the day of sale. It covers the fan, the heating plate and the electronics. It does not cover the filter, or a fan that was carried unlocked.

Repairs are done in the workshop in Pell Quay on the first Saturday of every month, while you wait, and there is tea. If you cannot come, post the dryer in its own box; the return parcel is free. Spare trays are sold in pairs. Old dryers are taken back for their motors, which go into new ones after a test of one week.

::instruction::
### Q
How long does the warranty of the Otterby last?

### A
The warranty of the Otterby lasts thirty months from the day of sale.
::
