/** Invented examples; the last one is hard on purpose. */

/** @type {{name: string, title: string, abstract: string}[]} */
export const EXAMPLES = [
  {
    name: "Tests that heal themselves",
    title: "Repairing flaky test suites by replaying their schedules",
    abstract: "Automated tests that pass and fail without any change to the code cost software teams much time. We record the order in which threads run during a failure and search for the smallest change of that order that makes the failure disappear. A tool built on this idea proposes a patch for two thirds of the flaky tests in a collection of open-source programs. Developers accepted most of the patches without edits. The recording slows down a test run by less than ten per cent.",
  },
  {
    name: "A cold gas in a ring",
    title: "Persistent currents of an ultracold Bose gas in a ring trap",
    abstract: "We stir a condensate of rubidium atoms with a laser beam and observe how long the superfluid flow survives. The current decays in steps, each of which we trace to a vortex that leaves the ring. The measured lifetimes follow the barrier height as a model of thermally activated phase slips predicts. At the lowest temperatures a residual decay remains, which points to quantum tunnelling.",
  },
  {
    name: "Curves and their points",
    title: "Rational points on curves of genus three with many automorphisms",
    abstract: "Let $C$ be a smooth plane quartic over $\\mathbb{Q}$ whose automorphism group has order at least eight. We prove that the number of rational points of $C$ is bounded by a constant that does not depend on $C$, provided that the rank of the Jacobian is at most two. The proof combines the method of Chabauty and Coleman with a descent along quotient curves, cf. the work of Flynn et al. on genus two. We also give an explicit family for which the bound is attained.",
  },
  {
    name: "Few data, many questions",
    title: "Confidence intervals after model selection in small samples",
    abstract: "When a regression model is chosen by looking at the data, the usual intervals for its coefficients are too short. We derive intervals that are valid conditionally on the selected model and show that their expected length is finite. The construction extends to generalised linear models through a bootstrap of the score. In simulations with forty observations the coverage is close to nominal, while naive intervals miss the truth in every fourth case.",
  },
  {
    name: "How finches learn to sing",
    title: "Sparse firing in a songbird nucleus supports learning of syllable order",
    abstract: "Juvenile finches learn the order of syllables in their song from a tutor. We imaged neurons in the premotor nucleus of the brain while birds practised. Each neuron fires at one moment of the song only, and the sequence of moments stabilises over weeks. Silencing inhibitory cells delays this process and leads to repeated syllables. The findings suggest that inhibition keeps the sequences of different syllables apart during development.",
  },
  {
    name: "Options on rough days",
    title: "Hedging variance swaps when volatility is rough",
    abstract: "We study the hedging of variance swaps in a market in which volatility is driven by fractional noise with a small Hurst index. The price of the swap solves a path-dependent equation, for which we give an expansion in short maturities. A delta hedge with two vanilla options removes most of the risk of the position. Calibrated to index options, the strategy lowers the loss of a dealer on days of turmoil by one third compared to hedges from a diffusion model.",
  },
  {
    name: "A hard case",
    title: "On the shape of things that spread",
    abstract: "Rumours, rust and rabbits have little in common, yet the curves of their growth look alike. We collect forty records of spreading, fit the same differential equation to each, and compare the residuals. The equation describes early growth well and saturation badly, and no single correction helps in all cases.",
  },
];
