# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The model and its bound
#
# A clip $\mathbf x_{1:T}$ shows *somebody* doing *something*. HALO {cite:p}`khan2021halo` gives the somebody one vector
# $\mathbf z$ for the whole clip and the something one point $\mathbf s_t$ per frame in a phase space, and lets a linear
# Hamiltonian flow, one per action, decide how that point moves. Only one of those points is free: all others follow from it,
# exactly, forwards and backwards. This chapter states the model, derives the bound it is trained on, corrects the
# misprints on the way ({doc}`12_deviations` lists them), and checks each step with numbers.

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import pandas as pd
import torch
from IPython.display import SVG
from torch.distributions import MultivariateNormal, kl_divergence

from hamrepro import schematics
from hamrepro.dynamics import HamiltonianOperators
from hamrepro.gaussian import Gaussian, emission_log_prob
from hamrepro.linear_gaussian import LinearGaussian, oscillator
from hamrepro.symplectic import flow_powers

plt.style.use("hamrepro.book")
torch.set_default_dtype(torch.float64)

# %% [markdown]
# ## How a clip comes about
#
# An action $k$ of $K$, also written as the one-hot vector $\mathbf u$, has $d$ positions and $d$ momenta and a flow $f$ with parameters $\omega_k$. A frame has $m$ numbers; $\phi$ is the decoder's mean and $\alpha = 1$ the standard deviation of a pixel; and
# $p(\mathbf z) = \mathcal N(\mathbf 0, \mathbf I)$. Equations keep the paper's numbers, and its wording where that can be; what is wrong in one is said beside it or in {doc}`12_deviations`.
#
# (eq-1)=
# $$
# \text{given:}\quad k, \text{ the action of the clip} \tag{1}
# $$
#
# (eq-2)=
# $$
# \mathbf z \sim p(\mathbf z) \tag{2}
# $$
#
# (eq-3)=
# $$
# \mathbf q_1^k \sim \mathcal N(\mathbf 0, \mathbf I_d), \qquad \mathbf p_1^k \sim \mathcal N(\mathbf 0, \mathbf I_d), \qquad
# \mathbf s_1^k = [\mathbf q_1^k, \mathbf p_1^k] \tag{3}
# $$
#
# (eq-4)=
# $$
# \mathbf s_t^k = f(\mathbf s_{t-1}^k; \omega_k, t), \qquad \forall t > 1 \tag{4}
# $$
#
# (eq-5)=
# $$
# \mathbf s_t^{k'} = \mathbf 0, \qquad \forall t,\ k' \neq k \tag{5}
# $$
#
# (eq-6)=
# $$
# \mathbf q_t = [\mathbf q_t^1, \dots, \mathbf q_t^K], \qquad
# \mathbf x_t \sim \mathcal N\bigl(\mathbf x_t \mid \phi(\mathbf z, \mathbf q_t),\ \alpha^2 \mathbf I_m\bigr), \qquad \forall t \tag{6}
# $$
#
# Three choices carry the method.
#
# - **The momentum $\mathbf p$ is never decoded.** The decoder $\phi$ sees $\mathbf z$ and the position. Two frames that look
#   alike but move differently have the same $\mathbf q$ and different $\mathbf p$, as a pendulum at its lowest point does.
# - **One subspace per action** (Eq. 5). The decoder can tell the action from *which* block of $\mathbf q_t$ is not zero.
#   That the representation is split by action is therefore supervision, not discovery: $\mathbf u$ is given, in training and
#   at test time.
# - **$f$ is linear and Hamiltonian** ({doc}`next chapter <03_symplectic>`): everything non-linear is left to $\phi$.
#
# The paper writes $\mathbf s = [\mathbf p, \mathbf q]$ in Eq. (3), $(\mathbf q, \mathbf p)$ after Eq. (7) and
# $[\mathbf q, \mathbf p]$ in Eq. (12). With its $\mathbf J$ the order of Eq. (3) is wrong, the other two are one and right ([D2](#d2)).
#
# (paper-figure-1)=
# **Figure 1.** From clip to latent trajectory and back. The state is inferred at one frame $t$, and the operator
# $\mathbf H_k$ of the given action traces all others. Names in `code` and all sizes are read off the library, preset
# `paper` on Sprites, as the page is made.

# %% mystnb={"image": {"alt": "A clip is encoded frame by frame; content, position and momentum are inferred; the operator traces the trajectory; the decoder draws it"}} tags=["nbval-ignore-output"]
SVG(schematics.framework("paper", "sprites"))

# %% [markdown]
# ## How a clip is read
#
# (eq-10)=
# The posterior is fitted by maximising the evidence lower bound,
#
# $$
# \max_q\ \mathbb E_{q(\mathbf z, \mathbf s_{1:T} \mid \mathbf x_{1:T}, \mathbf u)}
# \log \left[ \frac{p(\mathbf x_{1:T}, \mathbf z, \mathbf s_{1:T} \mid \mathbf u)}
#                  {q(\mathbf z, \mathbf s_{1:T} \mid \mathbf x_{1:T}, \mathbf u)} \right], \tag{10}
# $$
#
# within the family of posteriors that this recipe draws from:
#
# (eq-11)=
# $$
# \mathbf z \sim q(\mathbf z \mid \mathbf x_{1:T}), \qquad t \sim \mathcal U(\{1, \dots, T\}) \tag{11}
# $$
#
# (eq-12)=
# $$
# \mathbf q_t^k \sim q(\mathbf q_t^k \mid \mathbf x_t, \mathbf u), \qquad
# \mathbf p_t^k \sim q(\mathbf p_t^k \mid \mathbf x_{t:t-w}, \mathbf u), \qquad \mathbf s_t^k = [\mathbf q_t^k, \mathbf p_t^k] \tag{12}
# $$
#
# (eq-13)=
# $$
# \mathbf s_{t+1}^k = f(\mathbf s_t^k; \omega_k, t), \qquad \mathbf s_{t-1}^k = f(\mathbf s_t^k; \omega_k, -t), \qquad \forall t \tag{13}
# $$
#
# (steps of one frame are meant, here and in Eq. (4): [D5](#d5); and $\mathbf x_{t:t-w}$ is read as the $w$ frames that end with $t$: [D7](#d7))
#
# (eq-14)=
# $$
# \mathbf s_t^{k'} = \mathbf 0, \qquad \forall t,\ k' \neq k \tag{14}
# $$
#
# with Gaussians whose networks have parameters $\theta$, $\gamma$ and $\delta$ ($\theta_2$: the encoder they share) and a $\sigma$ for every coordinate (the paper writes $\sigma^2 \mathbf I$), drawn as $\boldsymbol\mu + \boldsymbol\sigma \odot \boldsymbol\epsilon$ {cite:p}`kingma2014vae`:
#
# (eq-15)=
# $$
# q_{\theta_1 \circ \theta_2}(\mathbf z \mid \mathbf x_{1:T}) = \mathcal N(\mathbf z \mid \boldsymbol\mu_z, \boldsymbol\sigma_z^2 \mathbf I), \qquad
# q_{\gamma_k \circ \theta_2}(\mathbf q_t^k \mid \mathbf x_t, \mathbf u) = \mathcal N(\mathbf q_t^k \mid \boldsymbol\mu_{\mathbf q_t^k}, \boldsymbol\sigma_{\mathbf q_t^k}^2 \mathbf I) \tag{15}
# $$
#
# (eq-16)=
# $$
# q_{\delta_k \circ \theta_2}(\mathbf p_t^k \mid \mathbf x_{t:t-w}, \mathbf u) = \mathcal N(\mathbf p_t^k \mid \boldsymbol\mu_{\mathbf p_t^k}, \boldsymbol\sigma_{\mathbf p_t^k}^2 \mathbf I) \tag{16}
# $$
#
# The random reference frame asks for a flow that has a way back. Any frame of the clip must do as the start of the whole
# clip, so the flow has to run backwards as well as it runs forwards, and the encoder must place *every* frame on the same
# orbit. Any linear flow can do that; what the Hamiltonian adds is that volume is kept, and that the inverse needs no solving ({doc}`03_symplectic`). A position is read from a single frame, so it cannot smuggle in the rest of the clip; a momentum from the last
# $w = 4$ frames ([D7](#d7)).

# %% [markdown]
# (paper-figure-5)=
# **Figure 5.** Graphs of the generative model (left) and of inference (right). Shaded: observed. Double arrows are
# deterministic: given one state, all others follow. A test asks the code for its gradients and finds these arrows and no
# others.

# %% mystnb={"image": {"alt": "Probabilistic graphs of the generative and of the inference model"}} tags=["nbval-ignore-output"]
SVG(schematics.graphs())

# %% [markdown]
# ## The bound
#
# (eq-17)=
# What is maximised in the end is
#
# \begin{equation*}
# \begin{aligned}
# &-\KL[q(\mathbf q_t^k \mid \mathbf x_t, \mathbf u) \,\|\, p(\mathbf q_t^k)]
#  -\KL[q(\mathbf p_t^k \mid \mathbf x_{t:t-w}, \mathbf u) \,\|\, p(\mathbf p_t^k)] \\
# &-\KL[q(\mathbf z \mid \mathbf x_{1:T}) \,\|\, p(\mathbf z)]
#  +\mathbb E_{q}\Bigl[\,\sum_{t'=1}^{T} \log p(\mathbf x_{t'} \mid \mathbf q_{t'}, \mathbf z)\Bigr] .
# \end{aligned} \tag{17}
# \end{equation*}
#
# Where it comes from, in five steps.
#
# (eq-18)=
# **1. Jensen.** For any $q$,
#
# $$
# \log p(\mathbf x_{1:T} \mid \mathbf u)
# = \log \mathbb E_q \left[\frac{p(\mathbf x_{1:T}, \mathbf z, \mathbf s_{1:T} \mid \mathbf u)}{q(\mathbf z, \mathbf s_{1:T} \mid \mathbf x_{1:T}, \mathbf u)}\right]
# \ \ge\ \mathbb E_q \log \left[\frac{p(\mathbf x_{1:T}, \mathbf z, \mathbf s_{1:T} \mid \mathbf u)}{q(\mathbf z, \mathbf s_{1:T} \mid \mathbf x_{1:T}, \mathbf u)}\right] . \tag{18}
# $$
#
# **2. The joint** is a chain,
#
# (eq-19)=
# $$
# p(\mathbf x_{1:T}, \mathbf z, \mathbf s_{1:T} \mid \mathbf u) = p(\mathbf z)\, p(\mathbf s_1 \mid \mathbf u)\, p(\mathbf x_1 \mid \mathbf q_1, \mathbf z)
# \prod_{t=1}^{T-1} p(\mathbf x_{t+1} \mid \mathbf q_{t+1}, \mathbf z)\, p(\mathbf s_{t+1} \mid \mathbf s_t, \mathbf u) . \tag{19}
# $$
#
# **3. The transition is a map**, so a density is only carried along by it,
#
# (eq-20)=
# $$
# p(\mathbf s_{t+1} \mid \mathbf u) = p(\mathbf s_t \mid \mathbf u)\, \Bigl|\det \frac{\partial f}{\partial \mathbf s_t}\Bigr|^{-1}
# = p(\mathbf s_t \mid \mathbf u)\, e^{-\operatorname{Tr} \mathbf H}, \qquad \operatorname{Tr} \mathbf H = \operatorname{Tr} \mathbf J \mathbf M = 0 . \tag{20}
# $$
#
# (The paper prints the determinant without its exponent $-1$. It is 1, so nothing changes.) Volume is kept, and no Jacobian
# enters the bound. This is where Hamiltonian dynamics simplify learning: with its prior on frame 1, a general linear flow would need
# $\operatorname{Tr}\mathbf H$ in the loss. (With $\mathcal N(\mathbf 0, \mathbf I)$ put on the reference frame itself, as in step 4 below, no flow needs it; the free matrix of {doc}`22_ablation` is trained so.)
#
# (eq-21)=
# **4. One state is enough.** Since $f$ is invertible, the joint can be written from the state of any frame $t$,
#
# $$
# p(\mathbf x_{1:T}, \mathbf z, \mathbf s_{1:T} \mid \mathbf u) = p(\mathbf z)\, p(\mathbf q_t \mid \mathbf u)\, p(\mathbf p_t \mid \mathbf u)
# \prod_{t'=1}^{T} p(\mathbf x_{t'} \mid \mathbf q_{t'}, \mathbf z)
# \prod_{t' \neq t} \delta\bigl(\mathbf s_{t'} - e^{(t'-t)\mathbf H}\, \mathbf s_t\bigr) \tag{21}
# $$
#
# (the paper leaves the point masses out), and so can the posterior, where all but one state follow from the flow:
#
# (eq-22)=
# $$
# q(\mathbf z, \mathbf s_{1:T} \mid \mathbf x_{1:T}, \mathbf u) = q(\mathbf z \mid \mathbf x_{1:T})\,
# q(\mathbf q_t \mid \mathbf x_t, \mathbf u)\, q(\mathbf p_t \mid \mathbf x_{t:t-w}, \mathbf u)
# \prod_{t' \neq t} \delta\bigl(\mathbf s_{t'} - e^{(t'-t)\mathbf H}\, \mathbf s_t\bigr), \tag{22}
# $$
#
# The paper's Eq. (22) has a product over all $t$ of the two motion factors, but its Eq. (17) has the terms of a single
# frame. The single frame is what is trained here ([D8](#d8)).
#
# **5. Divide.** The delta functions of the flow stand above and below the fraction bar and cancel; with the prior on frame $t$ no determinant is left (the paper's Eq. (23) carries
# $e^{\operatorname{Tr}\mathbf H}$, which is 1), and each prior meets its posterior:
#
# (eq-23)=
# $$
# \mathbb E_{q}\, \log \left[\frac{p(\mathbf z)\, p(\mathbf q_t \mid \mathbf u)\, p(\mathbf p_t \mid \mathbf u) \prod_{t'} p(\mathbf x_{t'} \mid \mathbf q_{t'}, \mathbf z)}
# {q(\mathbf z \mid \mathbf x_{1:T})\, q(\mathbf q_t \mid \mathbf x_t, \mathbf u)\, q(\mathbf p_t \mid \mathbf x_{t:t-w}, \mathbf u)}\right] \tag{23}
# $$
#
# (eq-24)=
# \begin{equation*}
# \begin{aligned}
# = {} & \mathbb E_{q} \log \frac{p(\mathbf q_t \mid \mathbf u)}{q(\mathbf q_t \mid \mathbf x_t, \mathbf u)}
# + \mathbb E_{q} \log \frac{p(\mathbf p_t \mid \mathbf u)}{q(\mathbf p_t \mid \mathbf x_{t:t-w}, \mathbf u)}
# \\ & + \mathbb E_{q} \log \frac{p(\mathbf z)}{q(\mathbf z \mid \mathbf x_{1:T})}
# + \mathbb E_{q} \Bigl[\sum_{t'} \log p(\mathbf x_{t'} \mid \mathbf q_{t'}, \mathbf z)\Bigr] .
# \end{aligned} \tag{24}
# \end{equation*}
#
# (eq-25)=
# Restricted to the subspace of action $k$, the only one that is not zero, this is Eq. (17), and Eq. (25) of the paper's
# appendix. The likelihood in both is of frame $t'$, not of frame $t$ as printed.

# %% [markdown]
# ```{admonition} When is step 4 exact?
# :class: note
# The prior is put on $\mathbf s_1$, and carried to frame $t$ it is
# $\mathcal N(\mathbf 0,\ e^{(t-1)\mathbf H} e^{(t-1)\mathbf H^\top})$. That is $\mathcal N(\mathbf 0, \mathbf I)$ at every $t$
# only if the flow is a rotation, that is for skew-$\mathbf H$. For a general $\mathbf H$, comparing $q(\mathbf s_t)$ with
# $\mathcal N(\mathbf 0, \mathbf I)$ at a random $t$ is a choice, not a consequence: for each $t$ it is the bound of
# another model, whose prior is the unit Gaussian at *that* frame, and what is trained is the average of these $T$ bounds, which is
# a bound for the even mixture of the models. The plot follows the other reading, the prior on frame 1: the largest
# variance of $p(\mathbf s_t)$, one untrained operator of each family, $d = 6$.
# ```

# %% mystnb={"image": {"alt": "Largest variance of the prior carried along the flow"}} tags=["nbval-ignore-output"]
torch.manual_seed(0)
fig, axis = plt.subplots(figsize=(7.2, 2.6))
starts = {"u (skew-H)": ("u", "oscillators"), "sp, our start": ("sp", "oscillators"),
          "sp, the release's random start": ("sp", "random")}  # fmt: skip
for name, (family, start) in starts.items():
    H = HamiltonianOperators(1, 6, family, start).double().generators().detach()
    carried = flow_powers(H, 16)[0, 15:]
    variances = torch.linalg.eigvalsh(carried @ carried.mT)
    axis.plot(range(1, 17), variances[:, -1], ".-", label=name)
axis.set(yscale="log", xlabel="frame t", ylabel="largest variance of p(s_t)")
axis.legend();

# %% [markdown]
# ## The terms, checked
#
# The three KL terms have a closed form, $\tfrac12\sum_i (\mu_i^2 + \sigma_i^2 - 1 - \log \sigma_i^2)$. It is compared
# here with `torch.distributions` and with its own definition, the mean of $\log q - \log p$ over draws from $q$.

# %%
torch.manual_seed(0)
q = Gaussian(torch.randn(3, 12), torch.randn(3, 12) / 3)
prior = Gaussian(torch.zeros(12), torch.zeros(12))
normal = torch.distributions.Normal
posterior = normal(q.mean, q.log_std.exp())
exact = torch.distributions.kl_divergence(posterior, normal(0, 1)).sum(-1)
draws = q.mean + q.log_std.exp() * torch.randn(200_000, 3, 12)
gaps = q.log_prob(draws) - prior.log_prob(draws)
error = (gaps.mean(0) - q.kl()).abs() / (gaps.std(0) / len(draws) ** 0.5)
pd.DataFrame({"equals torch.distributions": (q.kl() - exact).abs() < 1e-12,
              "within 4 standard errors of its definition": error < 4},
             index=["clip 1", "clip 2", "clip 3"])  # fmt: skip

# %% [markdown]
# Now Eqs. (18) to (25), line by line. With a *linear* decoder HALO is a linear Gaussian model
# ({doc}`15_reference`, `linear_gaussian`), and every distribution above can be written down. A clip of five frames and four
# pixels, one operator of each family with two positions, codes drawn at random: what holds for skew-$\mathbf H$ and not for $\mathbf H$ is the step
# that the note above calls a choice.

# %%
def lines(family):
    torch.manual_seed(1)
    H = HamiltonianOperators(1, 2, family).double().generators()[0].detach()
    model = LinearGaussian(H, torch.randn(4, 2), torch.randn(4, 3), frames=5, reference=2)
    clip = torch.randn(5, 4)
    true, evidence = MultivariateNormal(*model.true_posterior(clip)), model.log_evidence(clip)
    q = Gaussian(true.mean, true.variance.log() / 2)
    codes = q.mean + q.log_std.exp() * torch.randn(100_000, 7)
    states, ratio = model.states(codes[:9]), model.log_ratio(clip, codes, q)
    terms, moved = model.terms(clip, q), model.log_transition(states)
    total = 2 * terms["reconstruction"] - sum(terms.values())
    chain, joint = model.log_chain(clip, codes[:9]), model.log_joint(clip, codes[:9])
    gap = float(kl_divergence(MultivariateNormal(true.mean, torch.diag(true.variance)), true))
    return {"(18) the bound lies below log p(x)": model.bound(clip, q) < evidence,
            "(19) = (21): any frame will do": bool((chain - joint).abs().max() < 1e-8),
            "(20) Tr H = 0: no determinant": bool((moved - moved[:, :1]).abs().max() < 1e-8),
            "(22), (23) mean log ratio = (24)": bool((ratio.mean() - total).abs() < 4 * ratio.std() / 1e5**0.5),
            "(24), (25) = log p(x) - KL[q || posterior]": abs(total + gap - evidence) < 1e-8}  # fmt: skip


# %%
pd.DataFrame({"skew-H": lines("u"), "H": lines("sp")})

# %% [markdown]
# And the whole bound against its evidence: one oscillator ($d = 1$, one turn in eight frames) watched through unit noise,
# $x_t = 2 q_t + \epsilon_t$. The bound must lie below $\log p(x_{1:T})$ for every $\sigma$ of $q$, and may touch it only where
# the true posterior is in the family of $q$.
#
# With the whole period in view it is: eight frames see position and momentum equally well and independently, and the
# gap closes. With two frames the true posterior is tilted, since an error in position can be made up by one in momentum; no
# independent $\mathbf q$ and $\mathbf p$ fit, and a gap stays: 0.19 nats in the plot, of which 0.08 are due to the one σ that the plot gives both. The other 0.11 are the price of Eqs. (15) and (16), and a first
# hint that a clip should show a whole period.

# %% mystnb={"image": {"alt": "The bound against the width of the posterior, with the log evidence"}} tags=["nbval-ignore-output"]
fig, axes = plt.subplots(1, 2, figsize=(7.2, 2.8))
sigmas = torch.linspace(0.1, 0.9, 33)
for axis, frames in zip(axes, (8, 2), strict=True):
    model = oscillator(frames)
    clip = model.weight[..., 0] + torch.randn(frames, 1)
    mean, evidence = model.true_posterior(clip)[0], model.log_evidence(clip)
    bounds = [model.bound(clip, Gaussian(mean, sigma.log().expand(2))) for sigma in sigmas]
    axis.plot(sigmas, bounds, label="bound, Eq. (17)")
    axis.axhline(evidence, color="C1", ls="--", label="log evidence")
    axis.set(xlabel="σ of q(s)", ylim=(evidence - 2.5, evidence + 0.3), title=f"T = {frames}")
axes[0].set_ylabel("nats")
axes[1].legend(loc="lower right");

# %% [markdown]
# ## What a nat buys
#
# With $\alpha = 1$ the reconstruction term is half the squared error, summed over the $12{,}288$ values of a frame in
# $[-1, 1]$ and over the frames. On the scale of Table 1, where pixels lie in $[0, 1]$ and errors are averaged,
# an 8-frame clip pays $8 \times 12{,}288 \times 4 / 2 \approx 197{,}000$ nats per unit of MSE:

# %%
shape = (8, 3, 64, 64)
prices = {}
for mse in (0.01, 0.002, 0.0005, 0.0001):
    error = torch.full(shape, 2 * mse**0.5)  # an error on [0, 1] is twice as large on [-1, 1]
    prices[f"MSE {mse:g}"] = round(-emission_log_prob(error, torch.zeros(shape)).sum().item(), 1)
pd.DataFrame({"nats per clip": prices}).T

# %% [markdown]
# That is the exchange rate between picture and code. A latent number is worth its KL only while it removes more squared
# error than that: near an MSE of $0.0005$ the *whole* clip costs under 100 nats, and every nat spent on $\mathbf z$,
# $\mathbf q$ and $\mathbf p$ is felt. The terms of nearly every recorded training are kept one by one, in nats; {doc}`training <05_training>`
# shows those of one.

# %% [markdown]
# ## In short
#
# - One vector for who, one free point of phase space for what; every other frame follows by a linear map.
# - With the unit Gaussian on the reference frame the map leaves no trace in the bound: four terms, three of them closed formulas. With it on frame 1, keeping volume removes the determinant; only a rotation leaves the KL as it is.
# - The derivation is exact for skew-$\mathbf H$. For $\mathbf H$ it averages $T$ models, which differ in the frame whose prior is the unit Gaussian.
# - The picture term and the codes are paid in the same coin, nats, and the rate of exchange is set by the unit variance.

# %% [markdown]
# ## Exercises
#
# **1.** For a general $\mathbf H$ the prior $\mathcal N(\mathbf 0, \mathbf I)$ changes along the flow. Which Gaussian does not?
#
# ```{admonition} Solution
# :class: dropdown
# $\mathcal N(\mathbf 0, \boldsymbol\Sigma)$ is carried into itself at every $t$ if and only if
# $\mathbf H \boldsymbol\Sigma + \boldsymbol\Sigma \mathbf H^\top = 0$. If $\mathbf M$ is positive definite,
# $\boldsymbol\Sigma = \mathbf M^{-1}$ will do: $\mathbf H \mathbf M^{-1} = \mathbf J$, and $\mathbf J + \mathbf J^\top = 0$. Its density
# is $\propto e^{-E(\mathbf s)}$, a function of the energy alone, so that it stays what it was because the energy does. With
# that prior step 4 would be exact for every elliptic operator; where an eigenvalue has a real part no Gaussian will do.
# ```
#
# **2.** The posterior of one latent number costs 2 nats. By how much must it lower the MSE of an 8-frame clip to be worth them?
#
# ```{admonition} Solution
# :class: dropdown
# By $2 / 196{,}608 \approx 10^{-5}$, a fiftieth of the MSE of 0.0005 that the paper reports.
# ```
