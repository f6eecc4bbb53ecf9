"""Tell people, where they are, of holds, denials and alerts; and take the answers that come back over HTTP.

notice      what is told: a hold that was asked or has ended, a denial, an alert
reporting   makes notices of what sessions record, in each process that serves
wanted      which channel wants which notice
restraint   how much a channel is told: a bot in a loop must not flood it
dispatch    takes notices from everybody, at once; one for each service
outbox      keeps them until they are delivered, over a restart
lane        carries those of one channel, one by one, and records what came of it
courier     what carries: adapters are couriers (Apprise, a webhook, Slack)
texts       a notice in words, in the dialect of each platform
payload     the bodies of our own: JSON for programs, blocks for Slack
secrets     URLs and keys, from files
signing     signatures: Standard Webhooks both ways, Slack's own
answers     who an answer is from, whether it is new, and what the desk makes of it

Source  docs/notifications.md
"""
