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
# to decide is listed here, with the reason. The code cites these entries by number ({doc}`14_trace`). The errors are shown in
# cells that run, further down.

# %% tags=["hide-input"]
import math

import pandas as pd
import torch

from hamrepro import symplectic as sy
from hamrepro.aggregate_posterior import pushed_prior
from hamrepro.presets import configure
from hamrepro.dynamics import HamiltonianOperators
from hamrepro.halo import Halo
from hamrepro.tables import LABELS, paper

torch.set_default_dtype(torch.float64)

# %% [markdown]
# ## Deviations
#
# (d1)=
# **D1. Skew-H is the whole of $\mathfrak u(d)$.** $\mathbf H = \left(\begin{smallmatrix} \mathbf S & \mathbf A \\ -\mathbf A & \mathbf S \end{smallmatrix}\right)$
# with $\mathbf S$ skew and $\mathbf A$ symmetric, $d^2$ numbers. The paper's count, $(d^2 - d)/2$, belongs to
# $\mathfrak{so}(d)$; the released code has $\mathbf S = 0$, $d(d+1)/2$ numbers. The latter is the option `u_sym`.
#
# (d2)=
# **D2. $\mathbf s = (\mathbf q, \mathbf p)$.** The paper writes both orders. With its $\mathbf J$ and
# $\dot{\mathbf q} = \partial E / \partial \mathbf p$ only this one is right. The subspaces have $d = 6$ on Sprites and 12 on
# MUG, as in Appendix A.3.2; the released Sprites configuration has 12.
#
# (d3)=
# **D3. A decoder that gives a frame.** Table 4 as printed takes $n$ pixels to $2n - 1$ four times: from the 8×8 in which the encoder of Table 3 ends to
# 113×113, from 4×4 to 49×49, of 256 channels. Here: output padding 1, a 4×4 start, 3 channels at the end, input $|\mathbf Z| + K d$. Preset `official` has the release's
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
# {cite:p}`kingma2015adam` at $2 \times 10^{-4}$, betas (0.9, 0.999), constant rate, batch 24, and 300,000 steps, the 800 epochs of the
# release; preset `official` has the release's betas, (0.5, 0.999), too. Presets `laptop` and `fast` are trained otherwise, with Muon on the matrices and a rate that rises and falls
# ({doc}`05_training`), and `laptop` with a twenty-sixth of the numbers. On faces `laptop` has $|\mathbf Z| = 256$ for the paper's 512, 16 channels in the encoder's last layer for 64, and a wider decoder ({doc}`21_faces`).
#
# (d7)=
# **D7. The momentum's window** is $w = 4$ frames, the kernel of Table 5: the reference frame and the three before it, never
# one after (read literally, the paper's $\mathbf x_{t:t-w}$ has $w + 1$ frames). Before the first frame, the first frame is repeated.
#
# (d8)=
# **D8. The bound as written.** $\alpha = 1$: half the squared error, summed over pixels and frames; the constant
# $-\tfrac m2 \log 2\pi$ per frame is left out of the loss. The motion's KL is that of the reference frame. The release
# drops the factor ½ and sums the KL over all frames.
#
# (d9)=
# **D9. MUG's split.** "Based on [9]" leads nowhere: the repository of that paper has no split. Both readings are offered,
# by `take` and by `subject`. An identity accuracy of 0.998 needs a classifier that has seen the test subjects; most likely the model had, too.
#
# (d10)=
# **D10. The judges.** On Sprites: one head of nine action-views, off which action and view are read, and four of attributes. The
# paper's $H(y) = 2.009 > \ln 3$ shows that its judge had more than three classes.
#
# (d11)=
# **D11. The sheets are pinned** to one commit of the repository in the paper's footnote, with a hash for every file.
#
# (d12)=
# **D12. "Conditioned on the starting frame"** has two readings, and both are reported. `strict`: content, position and
# momentum from frame 1 alone. `clip`: the content from the whole clip, the state at frame 1. Posterior means are used. The
# frames of a training clip (1–8) and the next eight (9–16) are reported apart and together. The release does a third thing: content from the whole
# clip and the state at frame 4, its momentum from frames 1 to 4, carried both ways. That is no starting frame; {doc}`06_generation` has it beside the two.
#
# (d13)=
# **D13. Windows of a cycle.** A Sprites clip is one period of a cycle, and Table 1 repeats it. Half of the training windows of preset
# `laptop` therefore start at another phase of that cycle, as the paper's random subsequences do on MUG; otherwise nothing
# in training says that frame 9 is frame 1. `windows="first"` is the literal reading, an option; no run of it is recorded.
#
# (d14)=
# **D14. Where the operators start.** $d$ oscillators, coupled by no more than random entries of standard deviation 0.02, frequencies spread over $(0, \pi)$ radians per frame: a
# positive definite energy, so no eigenvalue off the imaginary axis ({doc}`03_symplectic`). The release's random orthogonal start is the
# option `start="random"`.
#
# (d15)=
# **D15. Part of the frames.** The sum over $t'$ in Eq. (17) may be estimated from a few frames of each clip, drawn at random
# and scaled up: unbiased (but for the states of D19), and the decoder, the dearest part of a step, runs less often. Preset `laptop` does; preset
# `paper` decodes all frames.
#
# (d16)=
# **D16. A quiet start.** In `laptop` the posteriors start narrow and the last batch norm starts near the mostly black frames.
# Only starting values differ from `paper`, no layer.
#
# (d17)=
# **D17. Content from fewer frames.** In preset `laptop` $\mathbf z$ is inferred from the $w$ frames that the momentum sees, and
# for half of the clips from the reference frame alone, repeated, as Table 1's `strict` reading asks for. Each is a bound
# like any other, with a posterior that sees less. Such content learns to tell the *phase* at $t$, and the state then need not;
# in the second cycle (D19) it is inferred from two frames drawn without regard to $t$ and repeated to the length of a clip, which have nothing to tell it by.
# `clip` conditioning (D12) shows this network the whole clip all the same: on faces, and on Sprites after the first cycle, eight frames where training showed four.
# Preset `paper` shows the content network the whole clip.
#
# (d18)=
# **D18. A rising KL weight.** In presets that say so, the weight of the KL terms rises from 0 to 1 over the first part of a run;
# what tables report is the bound with weight 1; the `loss` of a curve is weighted.
#
# (d19)=
# **D19. A second cycle, with states from the prior.** Protocol A draws $\mathbf s_1$ from $\mathcal N(\mathbf 0, \mathbf I)$, but nothing in Eq. (17)
# shows the decoder such a state: the posteriors of all clips of an action lie near closed orbits of the $2d$-dimensional
# phase space (how near, {doc}`07_disentanglement` measures), and the prior is a ball around them. On Sprites, preset `laptop` therefore goes on after the learning rate has come
# down: six steps for every ten before, at half the rates, with $\mathbf s_t \sim p(\mathbf s_t)$ instead of the posterior for half
# of the clips. Such a state cannot know at which phase the window of a cycle was cut,
# so the phase $\varphi$ is the one, of all $T$, at which the cycle fits the frames drawn best. With all frames drawn this is a bound on the evidence
# of the cycle whose phase is unknown and uniform, with the prior as posterior of the state, so that the KL of the motion is
# zero:
#
# $$\log \tfrac1T\textstyle\sum_\varphi p(\mathbf x^{(\varphi)}) \ge \mathbb E_{q(\mathbf z \mid \mathbf x)\,p(\mathbf s)}\Big[\max_\varphi
# \textstyle\sum_{t'}\log p(\mathbf x^{(\varphi)}_{t'} \mid \mathbf q_{t'}, \mathbf z)\Big] - \log T - \mathrm{KL}[q(\mathbf z \mid \mathbf
# x)\,\|\,p(\mathbf z)].$$
#
# From three frames of the eight, which `laptop` draws, the phase is chosen on those three, and the estimate is optimistic; it serves training alone.
# (The shipped runs that compute in bfloat16 compared the phases in it, too, and in about one clip of ten took another one, nearly as good (not recorded); they are compared in float32 now.)
# No label but $u$ is used, and no judge. It needs a cycle (D13) and is off where there is none. The variant `+first-cycle` is the
# model before it; both are in the tables of {doc}`06_generation`. When the states come in matters. From the prior in the
# middle of a single cycle they do little for the narrow decoder: content still tells the action then, and the decoder asks it, not the state, which
# action to draw. With the wide one that is the shorter way ([D27](#d27)).
#
# (d20)=
# **D20. Further periods.** A frequency that is off by $\delta$ radians per frame is late by $8\,\delta$ at the end of a training
# window and by $1{,}000\,\delta$ at frame 1,000. Since a cycle repeats, the second cycle (D19) draws the frames it decodes
# from up to 16 periods, more and more of them as training goes on: the same clips and the same cost, with a lever sixteen
# times as long. It needs a cycle, too.
#
# (d21)=
# **D21. Content must not tell the action.** In Eq. (1) $\mathbf z$ and $\mathbf u$ are independent. Nothing in Eq. (17) holds the encoder to it, and
# where states come from the prior it has a reason not to be: such a state says little, and which action the frames
# show can be learnt from $\mathbf z$ as well as from the block of $\mathbf q$ that is not zero. A decoder that does so draws the *content
# clip's* action, whatever it is asked for. So the second cycle adds to its loss, with weight 4,000 (chosen from 1,000 and 4,000 on validation characters), the
# maximum mean discrepancy {cite:p}`gretton2012kernel` between the contents of every two actions of the batch,
#
# $$\mathrm{MMD}^2(a, b) = \mathbb E\,k(\mathbf z_a, \mathbf z_a') + \mathbb E\,k(\mathbf z_b, \mathbf z_b') - 2\,\mathbb E\,k(\mathbf z_a, \mathbf z_b),
# \qquad k(\mathbf z, \mathbf z') = e^{-\lVert \mathbf z - \mathbf z' \rVert^2 / s},$$
#
# in its unbiased estimate over posterior means, $s$ the mean squared distance in the batch. {cite:t}`louizos2016vfae` keep a code apart from a
# label by the same term. It needs no label but $\mathbf u$. {doc}`07_disentanglement` has the numbers with and without it. The variant `+long` has it from
# the start: one cycle of three times the steps, two frames of content drawn without regard to $t$ as in the second cycle, and no other cycle; its
# states from the prior are those of D23. `+long+second-cycle` is that run, carried on by the usual second cycle.
#
# (d22)=
# **D22. Operators in tune.** A cycle of $T$ frames has the overtones of $2\pi / T$ and no other frequency. So once training is over every eigenvalue $\lambda$ of
# $\mathbf H$ can be moved to the nearest $2\pi i\, n / T$ with its eigenvector kept (`hamrepro.tuning`): then $e^{T\mathbf H} = \mathbf I$, and the flow repeats for ever.
# The map is odd in $\lambda$, so a Hamiltonian matrix stays one, and a skew-symmetric one too. It takes no training and no data but $T$. Tables 1 and 2 are
# *without* it, and so is every number that does not say "in tune"; {doc}`22_ablation` has those that do.
#
# (d23)=
# **D23. A prior fitted after training.** Eq. (3) draws $\mathbf s_1$, and the paper $\mathbf z$, from $\mathcal N(\mathbf 0, \mathbf I)$. Under protocols A-fitted and B-fitted they
# are drawn from what the encoder gives for 1,500 training clips, drawn at random: per action a mixture of three Gaussians for $(\mathbf q, \mathbf p)$,
# fitted by expectation maximisation (scikit-learn) to four draws from each posterior, and for $\mathbf z$ one Gaussian with the moments of the aggregate posterior.
# No weight changes. {cite:t}`ghosh2020rae` do the same to autoencoders without a prior. For one Gaussian it is a change of coordinates: with $\mathbf s = \mathbf m + \mathbf L \boldsymbol\epsilon$
# the flow of $\boldsymbol\epsilon$ is generated by $\mathbf L^{-1} \mathbf H \mathbf L$ and a drift, Hamiltonian for the form $\mathbf L^\top \mathbf J \mathbf L$. Tables 1 and 2 are *without* it; {doc}`07_disentanglement`
# has A and A-fitted side by side.
#
# (d24)=
# **D24. An adversary for what the discrepancy does not see.** The discrepancy of D21 compares the sixteen or so contents of one action in a batch with those of another, at one width of the kernel,
# that of all contents. So it sees whether the contents of an action lie elsewhere *on the whole*. It does not see whether those of each character do,
# every character's in a direction of its own; the decoder does, which meets them over thousands of steps, and so does any reader with hidden layers
# ({doc}`07_disentanglement`, *What the discrepancy does not see*). So preset `laptop` ends with a third cycle, five steps for every eighteen of the second,
# in which a reader $r_\psi$ of two hidden layers is trained to tell the action from $\mathbf z$, and the encoder to leave it nothing to tell by:
#
# $$\min_\psi\; -\mathbb E_{q_\phi(\mathbf z \mid \mathbf x)}\log r_\psi(\mathbf u \mid \mathbf z),
# \qquad
# \min_{\theta, \phi}\; -\mathcal L(\theta, \phi) + \lambda\, \mathbb E_{q_\phi(\mathbf z \mid \mathbf x)}\log r_\psi(\mathbf u \mid \mathbf z),$$
#
# $\lambda$ = 1,000 (twice that, with the discrepancy kept beside it, did no better on validation characters), in one backward pass, by the reversed gradient of {cite:t}`ganin2016domain`. {cite:t}`lample2017fader` keep a code apart from attributes by the same game. The reader sees *draws* of
# $\mathbf z$, eight a clip, as the decoder does: a posterior mean may tell what its noise then hides, and does. In training its cross-entropy is logged; at
# $\ln K$ = 1.099 nats there is nothing left to be told. It needs no label but $\mathbf u$, and is no part of the model that draws.
# The variant `+second-cycle` is the model before it. The shipped weights of `halo-u+k9` end with the second cycle, too, and those for procedural Sprites with one of an older recipe, 300 steps with states from the prior and without the discrepancy; of `+second-cycle` itself
# only the two runs whose content tells the action ({doc}`07_disentanglement`) are shipped.
#
# (d25)=
# **D25. Faces: clips moved, and longer windows after the first cycle.** In presets `laptop` and `fast` HALO trains on clips of faces that are moved as a whole, by up to two pixels
# up or down and, apart from that, left or right, their edges repeated; and after a first cycle on the paper's windows of 8 frames two more follow, of five and of six steps for every eighteen at half of the
# rate, on random windows of 16, as many as Table 1 scores. (The unsupervised line of models trains on MUG with 15.) The reason is in {doc}`21_faces`: moved clips make drawings of
# new takes better, and what is drawn better must also be right beyond the window, where nothing but the flow holds it. The variants `+first-cycle` and `+second-cycle` are the model before
# the second cycle and before the third; `+unshifted` has one cycle and clips where they are. The baselines of Table 2 have none of it.
#
# (d26)=
# **D26. Statistics of the population.** A batch norm learns with the mean and the variance of its batch and draws with running averages of them, as torch has it, of some twenty batches. {cite:t}`ioffe2015batch` (Algorithm 2) had the
# trained network go over many batches for them, and {cite:t}`wu2021batch` show what the shortcut costs. In presets `laptop` and `fast`, HALO on faces does so at the end of its last cycle: 100 batches, those that would have come next, in float32,
# and moved as in training (`hamrepro.population`). The variant `+running-averages` is the model without it. {doc}`21_faces` has both.
#
# (d27)=
# **D27. All of it in one cycle.** A decoder with more channels keeps the action out of the content by itself ({doc}`07_disentanglement`, *Or give the decoder more channels*), so there is less for further cycles to mend.
# The variant `+one-cycle` has the decoder of `+wide` and a single cycle of 3,600 steps, six for every five of the first cycle of `laptop`. In its first half the bound is estimated as in `+wide+first-cycle`. In its second half content is read
# from two frames apart (D17), up to 16 periods are drawn from (D20), states come from the prior for every other clip (D19), and the encoder gets the reversed gradient of an adversary (D24), new at that moment. There is no discrepancy (D21).
# The adversary has one class more: beside contents of every action it is shown as many draws of $\mathcal N(\mathbf 0, \mathbf I)$, and has to tell those, too. So it is at a loss, at $\ln (K + 1)$ = 1.386 nats, where $\mathbf z$ is distributed
# as Eq. (2) says whatever the action: independent of $\mathbf u$, and where draws from the prior lie. {cite:t}`makhzani2016adversarial` bring an aggregate posterior to the prior by such a game.
#
# What it is worth was looked at on the 900 clips of the validation
# characters, which no run had seen, one run each (none recorded; states from the prior for four clips in ten): two readers find the action in 0.36 of the contents, chance being 0.33, and 45 nats of content are left of 83 at the onset. Where the encoder does not get
# the reversed gradient but is rewarded, with a tenth of the weight, for contents taken for the prior's, they find it in 0.43; with the reversed gradient at a weight of 300, and states from the prior for every other clip, in 0.40 and 0.42, with all right in 0.988 of swaps where it was 0.979. An adversary without that class which had learned alone in the first half, and so had all the answers before the encoder began to listen, left 0.45 on test characters. What it costs is in {doc}`07_disentanglement`.
#
# When all this sets in was looked at on 300 clips of training characters, with 2,800 steps: from a fifth of the steps on, SSIM is four thousandths lower than from the half on; from two thirds on, the prior's motion shows the action
# asked for in 0.983, not in 0.997; with a quarter of the clips instead of a half SSIM is two thousandths higher, and 0.993 show it.
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
# | Eq. (19) | no $p(\mathbf s_1 \mid \mathbf u)$ | with it | {doc}`02_elbo` |
# | Eq. (20) | conditional densities are carried along | the densities $p(\mathbf s_t \mid \mathbf u)$ are | {doc}`02_elbo` |
# | Eq. (20) | $\lvert df/d\mathbf s_t\rvert$ | its inverse; both are 1 | {doc}`02_elbo` |
# | Eqs. (20), (21) | any frame may replace frame 1 without loss of generality | so for skew-$\mathbf H$; for $\mathbf H$ a choice of prior | {doc}`02_elbo` |
# | Eq. (21) | product to $T-1$, $p(\mathbf x_{t'} \mid \mathbf q_{t'})$ | product to $T$, with $\mathbf z$ and the point masses of the flow | {doc}`02_elbo` |
# | Eq. (23) | $e^{\operatorname{Tr}\mathbf H}$ | 1, and with the prior on frame $t$ not there | {doc}`02_elbo` |
# | Eq. (22) | product over all $t$ | one $t$, the others follow | {doc}`02_elbo` |
# | Eqs. (12), (22) | $\mathbf x_{t:t-w}$, $w + 1$ frames | $w$ of them, the kernel of Table 5 | D7 |
# | Table 4 | four upsamplings from 8×8 or 4×4, 256 kernels at the end | see D3 | {doc}`04_networks` |
# | Table 4 | input of size $h$ | $\lvert\mathbf Z\rvert + K d$ | {doc}`04_networks` |
# | Section 4 | first and last frame of a sequence are identical | true of slash; not of walk and spellcast | {doc}`01_data` |
# | Figure 4 | panels (a), (c), (b), (c) | (a), (c) left, (b), (d) right | |
# | Section 3.1 | "Appendix 5" | Figure 5 | |
#
# The rest of this page shows them at work, and what each changes.
#
# ### The dimension of skew-H, counted
#
# $\mathbf J \mathbf H = (\mathbf J \mathbf H)^\top$ and $\mathbf H = -\mathbf H^\top$ are linear equations in the $4d^2$ entries of
# $\mathbf H$. The dimension of what they leave is a rank, whatever anybody's parametrisation ([D1](#d1)). The paper's skew-$\mathbf H$
# would have 15 numbers where the group it names has 36, the release's has 21.

# %%
def solutions(d, *equations):
    basis = torch.eye(4 * d * d).view(-1, 2 * d, 2 * d)
    J = sy.symplectic_form(d)
    rules = {"Hamiltonian": J @ basis - (J @ basis).mT, "skew": basis + basis.mT}
    return 4 * d * d - int(torch.linalg.matrix_rank(torch.cat([rules[e].flatten(1) for e in equations], 1)))


pd.DataFrame({f"d = {d}": {"Hamiltonian": solutions(d, "Hamiltonian"), "2d² + d": 2 * d * d + d,
                           "Hamiltonian and skew": solutions(d, "Hamiltonian", "skew"), "d²": d * d,
                           "paper: (d² - d)/2": (d * d - d) // 2} for d in (1, 2, 6)})  # fmt: skip

# %% [markdown]
# ### One frame too many
#
# Eq. (8) read to the letter, and the recursion in its middle, against the flow both mean ([D5](#d5)). At every frame the letter is one
# step ahead; by frame 8 the recursion has applied $e^{(2 + 3 + \dots + 8)\mathbf H}$, thirty-five steps where seven were meant. A model that is
# trained and tested with one of them may hide it; a model that starts at one frame and is compared at another may not.

# %%
H = HamiltonianOperators(1, 6, "u").double().generators()[0].detach()
s, exp, rows = torch.randn(12), torch.linalg.matrix_exp, {}
recursion = exp(-H) @ s
for t in range(1, 9):
    recursion = exp(t * H) @ recursion  # the first step only leads to frame 1
    meant = exp((t - 1) * H) @ s
    rows[f"frame {t}"] = {"letter: e^(tH) s₁ is right": torch.allclose(exp(t * H) @ s, meant),
                          "recursion is right": torch.allclose(recursion, meant),
                          "steps taken, meant": f"{sum(range(2, t + 1))}, {t - 1}"}  # fmt: skip
pd.DataFrame(rows).T

# %% [markdown]
# ### The order of q and p
#
# With $\mathbf J = \left(\begin{smallmatrix} 0 & \mathbf I \\ -\mathbf I & 0 \end{smallmatrix}\right)$ the flow is Hamilton's only for
# $\mathbf s = (\mathbf q, \mathbf p)$. Read as $(\mathbf p, \mathbf q)$, as in Eq. (3), the same matrix runs time backwards
# ([D2](#d2)):

# %%
M = torch.diag(torch.tensor([2.0, 3.0]))  # E = (2 s₁² + 3 s₂²) / 2, one coordinate each
rate = sy.symplectic_form(1) @ M @ torch.tensor([1.0, 1.0])
holds = {"s = (q, p)": (rate[0] == 3, rate[1] == -2), "s = (p, q)": (rate[1] == 2, rate[0] == -3)}
pd.DataFrame({order: map(bool, both) for order, both in holds.items()},
             index=["dq/dt = ∂E/∂p", "dp/dt = -∂E/∂q"])  # fmt: skip

# %% [markdown]
# ### The KL at a random frame
#
# Eqs. (20) and (21) let any frame take the place of the first. The prior of that frame is then the first one's, carried along:
# how far from $\mathcal N(\mathbf 0, \mathbf I)$ it has gone, in nats, says how unlike the two are where the flow is no rotation; what that does to the bound depends on $q$
# ([D8](#d8)). For skew-$\mathbf H$ it is nothing.

# %%
starts = {"skew-H": ("u", "oscillators"), "H, our start": ("sp", "oscillators"),
          "H, the release's start": ("sp", "random")}  # fmt: skip
rows = {}
for name, (family, start) in starts.items():
    torch.manual_seed(0)
    found = pushed_prior(HamiltonianOperators(3, 6, family, start).double().generators())
    rows[name] = {f"frame {t}": f"{found[f'prior_kl/A/{t}']:.3g} nats" for t in (8, 16)}
pd.DataFrame(rows).T.replace(r"^-?\d(\.\d+)?e-.*", "0 nats", regex=True)

# %% [markdown]
# ### Nine classes, not three
#
# The paper has three actions on Sprites, and prints $H(y) = 2.009$ nats. Three classes can give $\ln 3 = 1.099$ at most: its judge
# had more, and the only ones at hand are the nine action-views ([D10](#d10)). $e^{H(y)}$ is the number of classes in even use, and
# $\mathrm{IS} = e^{H(y) - H(y \mid x)}$, which the paper does not print. HALO is the surest and, with S3VAE, the most accurate; all three
# baselines have the better $H(y)$ and IS.

# %%
rows = pd.DataFrame(paper()["table-2a"]).query("dataset == 'sprites'")
printed = rows.pivot(index="model", columns="metric", values="value").rename(index=LABELS)
h_y, sureness = printed["h_y"], printed["h_y_given_x"]
pd.DataFrame({"accuracy": printed["accuracy"], "H(y|x)": sureness, "H(y)": h_y,
              "more than ln 3": h_y > math.log(3), "classes in even use": h_y.map(math.exp).round(2),
              "IS": (h_y - sureness).map(math.exp).round(2)}).rename_axis(None)  # fmt: skip

# %% [markdown]
# ### The range of a pixel in Table 1
#
# PSNR is $10 \log_{10} (R^2 / \mathrm{MSE})$, and by Jensen the mean PSNR of many frames is at least the PSNR of their mean MSE.
# The paper does not say whether pixels lie in $[0, 1]$ or $[-1, 1]$; its four rows do. With $R = 1$ the inequality holds
# for all of them, with $R = 2$ for one (rounding of the printed MSE allowed for):

# %%
table = pd.DataFrame(paper()["table-1"]).pivot(index=["model", "dataset"], columns="metric", values="value")
least = {R: (10 * (R**2 / (table["mse"] + 5e-5)).map(math.log10)).round(1) for R in (1, 2)}
columns = {"mean PSNR, printed": table["psnr"]}
for R in (1, 2):
    columns |= {f"at least, range {R}": least[R], f"possible, range {R}": table["psnr"] >= least[R]}
pd.DataFrame(columns)

# %% [markdown]
# ## Faults of the released code
#
# The authors' repository, at its last commit of October 2022, is a partial release. It does not run: a line of the trainer and one of the
# test script are no Python, and three modules and a class are missing. What follows is what it would do once repaired, each
# fault rebuilt here in a line or two of our own. Numbers obtained with it are not numbers of the paper's model.

# %% [markdown]
# **The exponential** is a Taylor series of ten terms without scaling whose first term is the identity of size $K$ instead of
# $2d$; it fails for every $K \neq 2d$. With the right size it is good at the start of training and leaves the group once $\mathbf H$
# has grown a few times over.

# %%
def taylor(H, terms=10):
    power, total = torch.eye(H.shape[-1]), torch.eye(H.shape[-1])
    for n in range(1, terms + 1):
        power = power @ H / n
        total = total + power
    return total


torch.manual_seed(0)
H = HamiltonianOperators(1, 6, "sp", "random").double().generators()[0].detach()
residual = {c: float(sy.symplectic_residual(taylor(c * H))) for c in (1, 2, 4, 8)}
pd.DataFrame({f"{c} times the first H": {"still symplectic to 1e-3": r < 1e-3} for c, r in residual.items()}).T

# %% [markdown]
# **The data** are an array of frames with the channels last, *reshaped* to channels first where they should be transposed. On four
# pixels, numbered: the red channel of the first frame should hold the four reds.

# %%
numbers = torch.arange(12).view(2, 2, 3)  # (H, W, C): pixel p holds 3p, 3p + 1, 3p + 2
names = [f"{colour}{pixel}" for pixel in (1, 2, 3, 4) for colour in "rgb"]
channels = {"should be": numbers.permute(2, 0, 1), "is": numbers.reshape(3, 2, 2)}
pd.DataFrame({name: [" ".join(names[i] for i in channel.flatten()) for channel in made]
              for name, made in channels.items()}, index=["red", "green", "blue"])  # fmt: skip

# %% [markdown]
# **The range** is $\tanh x$ of pixels in $[0, 1]$, that is $[0, 0.76]$, under a decoder that ends in $[-1, 1]$ and plots that
# undo $[-1, 1]$. **The heads** of all three posteriors, the content LSTM and the momentum's convolution are given to no optimiser
# and saved in no checkpoint: they keep their random start and are drawn anew on loading. Here that would be

# %%
with torch.device("meta"):
    model = Halo(configure("paper", "sprites", "halo-sp").network)
size = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
left_out = {name: size[name] for name in ("content", "position", "momentum")}
pd.Series({name: f"{count:,}" for name, count in left_out.items()}, name="numbers never trained").to_frame()

# %% [markdown]
# **Two baselines are zero.** The linear and the recurrent dynamics multiply their three factors where they should add, from a
# hidden state and a bias that start at zero:

# %%
state, hidden, bias = torch.randn(2, 3, 12), torch.zeros(2, 3, 12), torch.zeros(3, 12)
product = torch.einsum("bki,bki,ki->bki", state, hidden, bias)
made = {"multiplied, as released": product, "added, as meant": state + hidden + bias}
pd.DataFrame({"every entry is zero": {name: bool((value == 0).all()) for name, value in made.items()}})

# %% [markdown]
# **Prior and posterior do not meet.** The state is divided by its norm when it is inferred, $\mathbf q$ and $\mathbf p$ apart, so
# that $\lVert \mathbf s \rVert = \sqrt 2$; when it is drawn from the prior it is not, and $\lVert \mathbf s \rVert$ is about $\sqrt{2d}$.
# The decoder is asked to draw states it has never met.

# %%
torch.manual_seed(0)
q, p = torch.randn(2, 100_000, 12).unbind()
unit = torch.cat([q / q.norm(dim=-1, keepdim=True), p / p.norm(dim=-1, keepdim=True)], -1)
states = {"inferred": unit, "drawn from the prior": torch.cat([q, p], -1)}
pd.DataFrame({"|s|, d = 12": {name: f"{s.norm(dim=-1).mean():.1f}" for name, s in states.items()}})

# %% [markdown]
# Further: the released Sprites configuration ignores the labels and has $d = 12$; the loss has two terms the paper lacks; the
# bound's factor ½ is dropped ([D8](#d8)); MUG is thinned to every fourth frame where the paper says every second; the learning rate's schedule is written down and never built; one frame in eight, the last,
# is never the reference ([D4](#d4)).

# %% [markdown]
# ## Later versions
#
# The paper was published as {cite:t}`khan2022halo`, with rotated images added and without the task of unconditional
# generation in its abstract. This project reproduces version 1, whose tables are numbered as here.
