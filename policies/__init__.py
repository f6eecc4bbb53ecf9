"""Judge requests by rules that operators write, without any network.

Read model.py and facts.py for the nouns, engine.py for the decision, document.py for the files it comes from. What is
between: scope.py finds the entries of rules that may speak of a statement, compiled.py holds one of them against it,
coverage.py adds up what the rules that allow cover, pattern.py and glob.py match strings. For authors of policies:
contradiction.py and advice.py find mistakes, near.py explains a verdict, cases.py tests.
"""
