# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Deviations and errata
#
# A paper of eight pages leaves questions open, and some of its lines contradict others. Every place where this project had
# to decide is listed here, with the reason. The code cites these entries by number.
#
# ## Deviations
#
# (d1)=
# **D1. Skew-H is the whole of $\mathfrak u(d)$.** $\mathbf H = \left(\begin{smallmatrix} \mathbf S & \mathbf A \\ -\mathbf A & \mathbf S \end{smallmatrix}\right)$
# with $\mathbf S$ skew and $\mathbf A$ symmetric, $d^2$ numbers. The paper's count, $(d^2 - d)/2$, belongs to
# $\mathfrak{so}(d)$; the released code has $\mathbf S = 0$, $d(d+1)/2$ numbers. The latter is the option `u_sym`.
#
# (d2)=
# **D2. $\mathbf s = (\mathbf q, \mathbf p)$.** The paper writes three orders. With its $\mathbf J$ and
# $\dot{\mathbf q} = \partial E / \partial \mathbf p$ only this one is right. The subspaces have $d = 6$ on Sprites and 12 on
# MUG, as in Appendix A.3.2; the released Sprites configuration has 12.
#
# (d3)=
# **D3. A decoder that gives a frame.** Table 4 as printed ends in 49×49 pixels of 256 channels. Here: output padding 1, a
# 4×4 start, 3 channels at the end, batch norm before $\tanh$, input $|\mathbf Z| + K d$. Preset `official` has the release's
# shape: 8×8 and three upsamplings. The size of $\mathbf h$, open in the paper, is the release's 2,048.
#
# (d4)=
# **D4. The reference frame** is drawn from $1..T$ for each clip, as Eq. (11) says. The release draws one per batch and never
# the last frame.
#
# (d5)=
# **D5. $\mathbf s_{t'} = e^{(t'-t)\mathbf H}\,\mathbf s_t$.** Eq. (8) taken literally does not return $\mathbf s_1$ at
# $t = 1$, and Eq. (13) taken literally moves by $t$ frames in one step.
#
# (d6)=
# **D6. What the paper does not say about training.** Number of steps, Adam's betas, schedule. Preset `paper` is Adam
# {cite:p}`kingma2015adam` at $2 \times 10^{-4}$, betas (0.9, 0.999), constant rate, batch 24; the release's values
# (betas (0.5, 0.999), 800 epochs) are preset `official`.
#
# (d7)=
# **D7. The momentum's window** is $w = 4$ frames, the kernel of Table 5: the reference frame and the three before it, never
# one after. Before the first frame, the first frame is repeated.
#
# (d8)=
# **D8. The bound as written.** $\alpha = 1$: half the squared error, summed over pixels and frames; the constant
# $-\tfrac m2 \log 2\pi$ per frame is left out of the loss. The motion's KL is that of the reference frame. The release
# drops the factor ½ and sums the KL over all frames.
#
# (d9)=
# **D9. MUG's split.** "Based on [9]" leads nowhere: the repository of that paper has no split. Both readings are offered,
# by `take` and by `subject`. An identity accuracy of 0.998 can only be had where test subjects were seen in training.
#
# (d10)=
# **D10. The judges.** On Sprites: nine action-views, and apart from that three actions, three views, four attributes. The
# paper's $H(y) = 2.009 > \ln 3$ shows that its judge had more than three classes.
#
# (d11)=
# **D11. The sheets are pinned** to one commit of the repository in the paper's footnote, with a hash for every file.
#
# (d12)=
# **D12. "Conditioned on the starting frame"** has two readings, and both are reported. `strict`: content, position and
# momentum from frame 1 alone. `clip`: the content from the whole clip, the state at frame 1. Posterior means are used. The
# frames of the trained length (1–8) and those beyond (9–16) are reported apart and together.
#
# (d13)=
# **D13. Windows of a cycle.** A Sprites clip is one period of a cycle, and Table 1 repeats it. The training windows of preset
# `laptop` therefore start at any phase of that cycle, as the paper's random subsequences do on MUG; otherwise nothing
# in training says that frame 9 is frame 1. `windows="first"` is the literal reading and is kept as an ablation.
#
# (d14)=
# **D14. Where the operators start.** $d$ uncoupled oscillators, frequencies spread over $(0, \pi)$ radians per frame: a
# positive definite energy, with no real eigenvalue ({doc}`03_symplectic`). The release's random orthogonal start is the
# option `start="random"`.
#
# (d15)=
# **D15. Part of the frames.** The sum over $t'$ in Eq. (17) may be estimated from a few frames of each clip, drawn at random
# and scaled up: unbiased, and the decoder, the dearest part of a step, runs less often. Preset `laptop` does; preset
# `paper` decodes all frames.
#
# (d16)=
# **D16. A quiet start.** In `laptop` the posteriors start narrow and the last batch norm starts near the mostly black frames.
# Only starting values differ from `paper`, no layer.
#
# (d17)=
# **D17. Content from fewer frames.** In preset `laptop` $\mathbf z$ is inferred from two frames drawn without regard to the
# reference frame $t$, and for half of the clips from one of them, repeated, as Table 1's `strict` reading asks for. Each is a
# bound like any other, with a posterior that sees less. Content that is inferred from the frames around $t$ learns to tell
# the *phase* at $t$, and the state then need not; content from other frames has nothing to tell it by. Preset `paper` shows
# the content network the whole clip.
#
# (d18)=
# **D18. A rising KL weight.** In presets that say so, the weight of the KL terms rises from 0 to 1 over the first part of a run;
# what is reported is always the bound with weight 1.
#
# (d19)=
# **D19. Some states from the prior.** Protocol A draws $\mathbf s_1$ from $\mathcal N(\mathbf 0, \mathbf I)$, but nothing in Eq. (17)
# shows the decoder such a state: the posteriors of all clips of an action lie on a thin closed orbit of the $2d$-dimensional
# phase space, and the prior is a ball around it. In preset `laptop` a share of the clips is therefore trained with
# $\mathbf s_t \sim p(\mathbf s_t)$ instead of the posterior. Such a state cannot know at which phase the window of a cycle was cut,
# so the phase is the one, of all $T$, at which the cycle fits the frames drawn best. With $q(\mathbf s) = p(\mathbf s)$ the KL of
# the motion is zero, and
#
# $$\log p(\mathbf x) \ge \mathbb E_{q(\mathbf z \mid \mathbf x)}\,\mathbb E_{p(\mathbf s)}\big[\textstyle\sum_{t'}\log p(\mathbf
# x_{t'} \mid \mathbf q_{t'}, \mathbf z)\big] - \mathrm{KL}[q(\mathbf z \mid \mathbf x)\,\|\,p(\mathbf z)]$$
#
# holds for every phase, so also for the best one: it is the same bound with another posterior. No label but $u$ is used, and
# no judge. It needs a cycle (D13) and is off where there is none.
#
# (d20)=
# **D20. Further periods.** A frequency that is off by $\delta$ radians per frame is late by $8\,\delta$ at the end of a training
# window and by $1{,}000\,\delta$ at frame 1,000. Since a cycle repeats, preset `laptop` draws the frames it decodes from up
# to 16 periods, more and more of them as training goes on: the same clips and the same cost, with a lever sixteen times as
# long. Needs a cycle, too.
#
# ## Errata of the paper
#
# Numbers refer to version 1, {cite:t}`khan2021halo`.
#
# | where | printed | should be | shown in |
# |---|---|---|---|
# | Definition 1 | Hamiltonian if $\mathbf H^\top \mathbf J \mathbf H = \mathbf J$ | $(\mathbf J\mathbf H)^\top = \mathbf J \mathbf H$; the printed line defines the group | {doc}`03_symplectic` |
# | Section 3.1.1 | Hamiltonian matrices form the group $\mathrm{Sp}(2d)$ | they form its algebra, of dimension $2d^2 + d$; their exponentials are in the group | {doc}`03_symplectic` |
# | Section 3.1.1 | skew-$\mathbf H$ has $(d^2 - d)/2$ elements | $d^2$ | {doc}`03_symplectic` |
# | Eqs. (3), (12) | $[\mathbf p, \mathbf q]$ and $[\mathbf q, \mathbf p]$ | $(\mathbf q, \mathbf p)$ throughout | {doc}`02_elbo` |
# | Eqs. (8), (13) | $e^{t\mathbf H}\mathbf s_1$, and steps of $\pm t$ | $e^{(t-1)\mathbf H}\mathbf s_1$, and steps of $\pm 1$ | {doc}`03_symplectic` |
# | Eqs. (17), (25) | $\log p(\mathbf x_t \mid \mathbf q_{t'}, \mathbf z)$ | $\log p(\mathbf x_{t'} \mid \mathbf q_{t'}, \mathbf z)$ | {doc}`02_elbo` |
# | Eq. (20) | $\lvert df/d\mathbf s_t\rvert$ | its inverse; both are 1 | {doc}`02_elbo` |
# | Eqs. (20), (21) | any frame may replace frame 1 without loss of generality | so for skew-$\mathbf H$; for $\mathbf H$ a choice of prior | {doc}`02_elbo` |
# | Eq. (21) | product to $T-1$, $p(\mathbf x_{t'} \mid \mathbf q_{t'})$ | product to $T$, with $\mathbf z$ | {doc}`02_elbo` |
# | Eq. (22) | product over all $t$ | one $t$, the others follow | {doc}`02_elbo` |
# | Table 4 | four upsamplings from 8×8 or 4×4, 256 kernels at the end | see D3 | {doc}`04_networks` |
# | Table 4 | input of size $h$ | $\lvert\mathbf Z\rvert + K d$ | {doc}`04_networks` |
# | Section 4 | first and last frame of a sequence are identical | true of slash; not of walk and spellcast | {doc}`01_data` |
# | Section 4 and the release | MUG downsampled by two; by four | two, as the paper says | |
# | Figure 4 | panels (a), (c), (b), (c) | (a), (c) left, (b), (d) right | |
# | Section 3.1 | "Appendix 5" | Figure 5 | |
#
# ## Later versions
#
# The paper was published as {cite:t}`khan2022halo`, with rotated images added and without the task of unconditional
# generation in its abstract. This project reproduces version 1, whose tables are numbered as here.
