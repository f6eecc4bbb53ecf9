"""Judge requests by rules that operators write, without any network.

Read model.py for the nouns, engine.py for the decision, document.py for the files it comes from.
"""
