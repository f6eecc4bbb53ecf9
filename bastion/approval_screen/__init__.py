"""Draw the live screen of approvals: in a process of its own, on the terminal of whoever answers.

board     what is on the screen, and what keys and steps of holds do to it, without I/O
page      one hold as rows that fit a width, each with its mark
rows      pieces of text with styles: wrapped, cut to a width
terminal  the terminal, by prompt_toolkit
link      lines to and from the bastion

Source  docs/approvals.md; docs/adr/0015-a-process-draws-each-live-screen.md
"""
