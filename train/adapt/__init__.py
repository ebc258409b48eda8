"""A head on a frozen encoder, fitted to the customer's people, and what it is worth on people it never saw.

source.py      a bundle, or an ONNX file with its preprocessing
parts.py       who fits the head, who the background, who is tested; folds
rows.py        every sample embedded once
head.py        the head: a step away from the identity
fitting.py     its training, early stopping, and the choice of its size
systems.py     identity models behind embeddings, before and after, scored on the same trials
verdict.py     better, worse, or no difference shown
graph.py       encoder and head as one ONNX file
run.py         all of it, to a sealed bundle and a report
"""
