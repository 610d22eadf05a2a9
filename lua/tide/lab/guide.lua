-- guide.lua -- what to do in the lab, for those who show it: `tide lab --help` and ?lab.

return [[
Ten minutes with people who have never seen it:

1. It works. Press space. The triangles are latents, the blue dots data. Nobody
   tells the latents where data are: they only get a loss, from a flow that was
   trained on data and is frozen now. Both curves go down. Why does the loss not
   go to 0? The dashed line is what true data have.
2. It fails. The curves pass below that line. Less loss than data have is no
   success: the latents gather on a few points. Choose the target rings: they crowd
   on the inner one; with a flow of 100 steps they leave the data. Choose the loss
   excess: they spread again, and the curves come back to the line.
3. Why. Drag the pink point across the map. It is a latent; black arrows are the
   field on its path from the orange noise point, orange ones the straight
   velocity. The loss is their difference, the pink arrow the way down, the curve
   on the right the times at which the loss arises. Drag the line there: early
   times know only the centre of the data. Press 5, then 6: what is said to be a
   bound on log p, and log p.

Keys: space plays and pauses, . takes one step, a comma one phase of a step, r
starts anew with the same seed, 1 to 7 choose the map, ? lists all. The bar of the
player goes back through the run.]]
