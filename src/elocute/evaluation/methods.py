"""Every metric's definition, source and deviations, as the result carries them."""

from __future__ import annotations

METHODS = {
    "pcc": "Pearson correlation of unrounded predictions with the corpus's scores, pooled over all items. As"
    " GOPT (traintest.py), except that GOPT divides word and utterance scores by 5, which changes no "
    "correlation, and that its score of a word is the mean over the word's phones.",
    "scc": "Spearman rank correlation, ties share their mean rank.",
    "mse": "Mean squared error of unrounded predictions on the corpus's scale: phones 0 to 2, words and "
    "utterances 0 to 10. GOPT's MSE of words and utterances is on 0 to 2: divide ours by 25.",
    "rounded": "Predictions rounded to whole scores (halves to even) and cut to the scale. pcc, mse: labels as "
    "they are, as frank613/CTC-based-GOP evaluate_gop_feats.py. both_pcc, both_mse: labels rounded "
    "too, as Kaldi's gop_speechocean762 print_predicted_result.py. Its scalar scripts cut labels to "
    "integers (1.8 becomes 1), which nothing here does. Rounding lowers correlations; GOPT and its "
    "successors do not round.",
    "interval": "95 %: percentiles of bootstrap draws in which whole speakers are resampled. Where a part of the "
    "speakers is evaluated, those are resampled. Deviates from the literature, which gives none, or "
    "the spread over seeds.",
    "wrong": "A phone whose mean expert score is below 0.5 of 2, as the corpus's own `mispronunciations`.",
    "roc_auc": "Mann-Whitney: the share of (wrong, other) pairs in the right order, ties half.",
    "pr_auc": "Average precision, in steps without interpolation (scikit-learn's average_precision_score); a "
    "constant's is the share of wrong phones.",
    "operating point": "Precision TR/(TR+FR), recall TR/(TR+FA), F1, FAR = FA/(FA+TR), FRR = FR/(FR+TA). Shipped: the "
    "product's own flags, words it says were left out included. Best: the threshold with the highest "
    "F1 on these very labels, a ceiling. The text is known to the model: not comparable with F1 of "
    "text-free recognisers.",
    "der": "Wrong diagnoses over all diagnoses of true rejections at the shipped operating point. `X*` "
    "(close to X) counts as X; strictly it counts as none of the phones, unless X is the canonical "
    "phone and the model says distorted. `<DEL>` must be heard as nothing. `<unk>` and phones without"
    " annotation are left out and counted. Units that the model does not have (AR DR TR ... of the "
    "annotators) count as wrong. Deviates: papers rarely say how they treat these.",
    "per": "Edit distance over reference length. Free decoding (best path of the acoustic model, no text) "
    "against the canonical phones of utterances in which every phone scores 1.8 or more; and, where "
    "the corpus says what was said, against that: `<DEL>` removed, `X*` as X, `<unk>` as a symbol "
    "nobody can hit, a phone called wrong without annotation likewise, insertions not annotated. A "
    "recording of which nothing was made is an empty string (its diagnosis: the text). Text-free and "
    "text-prompted rates are different tasks and stand in different rows.",
    "wer": "Edit distance over words, for predictions that carry a transcript.",
    "constant": "Baseline: the mean label of other speakers (of other folds).",
    "phone prior": "Baseline: the mean label of other speakers' items with this phone; for words and utterances the "
    "mean of that over their phones.",
    "speaker mean (oracle)": "Baseline that cannot be built: the mean of the evaluated speaker's own labels.",
    "echo of the canonical phones": "Baseline: full marks for everything, no error anywhere.",
    "human": "Each expert against the mean (or median) of the others of the same item; the mean of the "
    "experts' correlations. The file lists the experts in one order (each column is severe or lenient"
    " in its own way throughout), and items of which an expert is missing are left out. Phones: 2 "
    "plain, 1 {P}, 0 (P), inserted [P] left out; words that some expert wrote with another number of "
    "phones are left out. A model is compared with all experts, a steadier target; so this is an "
    "anchor, not a bound.",
    "unscored": "What the model refuses to score counts with the mean of what it did score (no label has a part "
    "in it), its phones with the mean probability and no flag.",
    "calibration": "Expected calibration error over 15 bins of equal width (Naeini et al., AAAI 2015).",
    "human detection": "Each expert's 0 marks against the phones whose mean by the others is below 0.5, all experts "
    "counted together.",
}
