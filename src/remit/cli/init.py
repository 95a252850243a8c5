"""Write a commented remit.toml into a folder; an existing one is never touched."""

from __future__ import annotations

from typing import Any

TEMPLATE = """\
# remit.toml: what agents in this folder may do. `remit config show --origin` prints what is in force.
# Until it is trusted (`remit config trust .`) this file only narrows what the user's own settings and flags give;
# the keys marked with (trust) are refused before that.

[model]
# name = "openai:gpt-4o-mini"          # (trust) provider:model
# base_url = "http://127.0.0.1:8080/v1"  # (trust) any OpenAI-compatible server
# api_key = "env:OPENAI_API_KEY"       # (trust) a reference, secret:NAME (remit vault), env:NAME or file:PATH
# temperature = 0.7
# max_tokens = 4096                    # output tokens of one reply
# max_turns = 10                       # model turns of one run

[run]
# instructions = "You work on this code base."  # (trust)
# tools = ["read_file", "content_search"]       # default: all that the grants reach

[remit]
# allow = ["fs.read:**", "fs.write:out/**", "shell:git status"]
deny = ["fs.read:**/.env"]
# enable = ["write_file"]              # (trust) flags; they count where no grant is named

[policy]
# mode = "default"                     # what no grant covers asks; unset = "strict": it is denied
# autonomy = "supervised"              # every effect asks; unset = "full"
# actions_per_hour = 20
# cents_per_day = 500
# forbidden_paths = ["private/**"]
# roots = ["src", "out"]
# sensitive = true                     # exact names may grant sensitive files
# otherwise = "ask"                    # mode "custom": what no grant covers and no rule names
# rules = [{ match = "shell:git push *", decision = "deny" }]
# site = "site.toml"                   # (trust) a site policy file
# cedar = "site.cedar"                 # (trust) a site policy in Cedar
# (trust) whose tokens count, a public key: remit token --help
# token_issuer = "c1900554dce892b76143372b6f2480cbde504c0b20362178b890039a6bcdcc15"

[budget]
# usd = 0.50
# tokens = 200000
# tool_calls = 50
# seconds = 600

[limits]
# "tool:shell" = "10/60s"
# "model:*" = { calls = 60, period_s = 60, burst = 5, concurrent = 2 }

[journal]
# path = "runs.db"                     # (trust)
# witness = "/mnt/other/remit.witness"  # (trust) gets every signed checkpoint; best on other storage
# password = "env:JOURNAL_PASSWORD"    # (trust) of a journal in Postgres, a reference
# tenant = "default"                   # (trust) whose runs, in Postgres

[dispatch]
# temporal = "127.0.0.1:7233"          # (trust) a Temporal server that hands runs to workers
# namespace = "default"                # (trust)
# tls = true                           # (trust)
# heartbeat_s = 10                     # (trust) a worker that is silent for so long has lost its runs

[gateway]
# hosts = ["remit.example.org"]        # (trust) names that clients of `remit serve` use, beside the address
# origins = ["https://app.example.org"]  # (trust) of web pages that may use it
# tls_cert = "/etc/remit/cert.pem"     # (trust) TLS: needed for any address but loopback
# tls_key = "/etc/remit/key.pem"       # (trust)
# token_roles = ["developer"]          # (trust) roles of holders of tokens

[encryption]
# mode = "encrypted"                   # (trust) the journal file; "full": contents too, one key a subject, erasable
# key = "env:REMIT_DATA_KEY"           # (trust) env:NAME, file:PATH, keyring:SERVICE/USER or passphrase
# algorithm = "aes-256-gcm"            # (trust) or "chacha20-poly1305": of new data keys
# subject = "me"                       # (trust) whose data a run holds when it names nobody

[leak_guard]
# mode = "redact"                      # (trust) or "block", "off": of what leaves and looks like a key
# random = true                        # (trust) long random-looking words count too
# sensitivity = 0.7                    # (trust) 0 to 1

[guardrails]
# preset = "default"                   # (trust) five rules on text that block
# pii = "sanitize"                     # (trust) off, audit, sanitize, block: in results and answers
# injection = "block"                  # (trust) the same: orders to the model in tasks and results
# unicode = "sanitize"                 # (trust) the same: invisible characters
# remote_pii = "tokens"                # (trust) or "mask": what a remote model gets in place of personal data
# local = ["gpu.lan"]                  # (trust) hosts beside loopback whose models are yours
# rules = [{ kind = "regex", values = ["x"], severity = "warn" }]   # (trust) own rules

[second_factor]
# tools = ["pay*"]                     # (trust) calls that a person approves with a code: remit approve --code
# hosts = ["*.bank.example"]           # (trust) the same, by host

[router]
# models = ["openai:gpt-4o-mini", "openai:gpt-4o"]  # (trust) what the model name "auto" chooses from
# strategy = "cost"                    # (trust) or "quality", "balanced", "tiered", "fixed"
# simple = 0.15                        # (trust) difficulty up to which "tiered" takes the fast tier
# complex = 0.35                       # (trust) difficulty from which it takes the powerful one
# cascade = true                       # (trust) ask a dearer model when a cheap answer fails its check
# max_loss = 0.01                      # (trust) success that "cost" may give up on average
# min_saving = 0.58                    # (trust) share of the cost that "cost" saves once answers are judged
# explore = 0.03                       # (trust) share of choices made to learn
# seed = 0                             # (trust)
# private = "labelled"                 # (trust) contexts that stay on this machine: off, labelled, personal, always
# roles = { reviewer = "powerful" }    # (trust) the tier that an agent's calls start from

[resilience]
# fallbacks = ["anthropic:claude-haiku-4-5"]  # (trust) asked in this order when a model fails
# retries = 3                          # (trust)
# cooldown_s = 10                      # (trust) how long a model that was left rests
# breaker = "llm"                      # (trust) or "default", "strict", "lenient", "tools"
# hedge_s = 5                          # (trust) ask the next model too after so long

[credential_pool]
# keys = { openai = ["env:OPENAI_API_KEY", "env:OPENAI_API_KEY_2"] }  # (trust) references
# order = "fill_first"                 # (trust) or "round_robin", "random", "least_used"
# daily_quota = 0                      # (trust) calls a key and day; 0 = any number

[cache]
# on = true                            # (trust) give replies again
# semantic = true                      # (trust) also to a question that means the same
# similarity = 0.92                    # (trust)
# entries = 1000                       # (trust)
# ttl_s = 3600                         # (trust)
# store = false                        # (trust) keep them in encrypted files as well
# personal = false                     # (trust) also where the request holds personal data
# tainted = false                      # (trust) also where the context holds untrusted data
# prompt = "auto"                      # (trust) or "on", "1h", "off": marks for the provider's own cache

[cost]
# on = true                            # (trust) caps over all runs and processes
# day_usd = 10                         # (trust)
# month_usd = 100                      # (trust)
# caps = { "agent:writer" = { day_usd = 1 } }  # (trust)
# tenant = "me"                        # (trust) whose calls these are
"""


def add(parser: Any) -> None:
    """The flags."""
    parser.add_argument("dir", metavar="DIR", nargs="?", default=".", help="the folder (default: this one)")
    parser.add_argument("--json", action="store_true", help="one result line on stdout")


def run(args: Any) -> int:
    """Write the file."""
    import os

    from remit.cli import _output
    from remit.config import FILE_NAME
    from remit.errors import Invalid

    path = os.path.join(args.dir, FILE_NAME)
    try:
        # O_EXCL: neither an existing file nor what a link points to is written.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        raise Invalid("usage_invalid", f"{path} exists; it is left as it is") from None
    except (FileNotFoundError, NotADirectoryError):
        raise Invalid("usage_invalid", f"{args.dir!r} is not a folder") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(TEMPLATE)
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "path": path})
    else:
        _output.data(path)
        _output.say("Edit it, then: remit config show --origin")
    return 0
