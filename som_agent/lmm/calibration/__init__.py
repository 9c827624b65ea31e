"""How well does a model read marks? Asked with drawn scenes whose every item is known.

`scenes` draws them, `trial` asks and scores, `choose` picks how marks are drawn for the model, `measure` goes
through it all. What comes out is kept by `som_agent.lmm.stored`.
"""
