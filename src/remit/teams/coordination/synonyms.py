"""Words that mean the same in most texts: one group a line, the first word stands for all. General English."""

from __future__ import annotations

from typing import Final

GROUPS: Final = """
increase grow growth rise raise climb gain surge jump expand soar boost improve-up uptick
decrease fall drop decline reduce reduction shrink cut lower lessen dip plunge diminish
big large huge great sizable substantial considerable massive
small little tiny minor slight modest
fast quick rapid speedy swift prompt
slow sluggish gradual
cost price expense fee expensive-cost spending
cheap inexpensive affordable economical
expensive costly pricey dear
buy purchase acquire procure
begin start launch commence initiate kick-off
end finish complete conclude terminate
stop halt cease quit
show demonstrate reveal indicate display prove
help assist aid support
important crucial critical key essential vital significant
problem issue trouble difficulty challenge
bug defect fault flaw
error mistake
fix repair resolve mend patch solve remedy
make create build produce construct develop
use utilize employ leverage
company firm business corporation enterprise organization organisation
customer client buyer shopper
worker employee staff personnel
money funds cash capital
car automobile vehicle
doctor physician
house home residence dwelling
child kid
movie film
job role post
database db
application app program software
check verify validate confirm
test trial
safe secure
delete remove erase eliminate
add append insert include
change modify alter adjust amend
get obtain receive fetch retrieve
send transmit deliver dispatch ship
choose select pick opt
think believe consider
recommend suggest advise propose
risk danger hazard threat
benefit advantage upside pro merit
drawback disadvantage downside con
revenue sales turnover
profit earnings margin
memory ram
latency delay lag
server host machine
deploy release rollout publish
require need demand necessitate
allow permit let enable
forbid ban prohibit disallow
prevent avoid avert
happen occur
keep retain maintain preserve
replace substitute swap
move migrate transfer shift
connect link join
separate split divide
answer reply respond response
ask request query
failure outage breakdown crash
succeed success
plan strategy scheme
goal aim objective target
result outcome consequence
reason cause
team group crew
user customer-user
meeting session conference
quarter q
year annual yearly
month monthly
week weekly
day daily
estimate forecast predict projection
price-tag label
strong robust solid
weak fragile
easy simple straightforward effortless
hard difficult tough tricky
good beneficial positive favorable
bad poor negative unfavorable harmful
best optimal ideal
worse inferior
better superior preferable
new novel recent fresh
old legacy dated outdated
main primary chief principal major
enough sufficient adequate
many numerous several
all every whole entire
often frequently
rarely seldom infrequently
about approximately roughly around nearly almost
before prior previously
after following afterwards
now currently presently today
later eventually
permit-doc licence license
staff-cut layoff redundancy
hire recruit
fire dismiss
author writer
document paper report
picture image photo
road street
city town
country nation
law regulation rule legislation
government state
sick ill unwell
illness disease
drug medicine medication
eat consume
rain rainfall precipitation
warm hot
cold chilly
smart clever intelligent
happy glad pleased
sad unhappy
angry mad furious
begin-date inception
store shop
trip journey travel
leader head boss manager
lawyer attorney
purchase-order order
vote ballot
war conflict
peace truce
attack assault
protect defend guard shield
encrypt encipher
password passphrase
breach intrusion
backup copy
cache buffer
queue backlog
schedule timetable
boring dull tedious
interesting fascinating exciting
competitor rival
lecture talk speech
close shut
expire lapse
bicycle bike cycle cycling
oppose against resist
contract agreement
resign quit-office
health healthy
concentrate concentration focus
temperature heat
wage salary pay
teach instruct educate
crime offence offense
forest wood
ocean sea
airplane plane aircraft
phone telephone
letter mail email
rock stone
gift present-gift
hurt injure wound
wealthy rich
famous renowned well-known
quiet silent
loud noisy
dark dim
clever-trick ruse
huge-size giant
""".strip()


def table() -> dict[str, str]:
    """Word -> the word that stands for its group."""
    found: dict[str, str] = {}
    for line in GROUPS.splitlines():
        first, *others = line.split()
        for word in (first, *others):
            found.setdefault(word, first)
    return found
