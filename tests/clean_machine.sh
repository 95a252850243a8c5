#!/usr/bin/env bash
# The two commands on a machine that has nothing: a fresh Debian 12 with python3.11, pip and make, and a clean clone.
#
#   tests/clean_machine.sh FOLDER [COMMAND...]     (as root; default: make demo, again, and make test)
#
# Runs as root and as an ordinary user inside FOLDER, which is made with debootstrap unless it is there already.
# USERS limits that ("root" or "tester"), MIRROR is debootstrap's mirror, BIND lists further folders to show inside (a local
# package index, for example); the host's pip configuration and certificates are used, as on a machine of the same network.
set -euo pipefail

folder=$(realpath -m "${1:?usage: tests/clean_machine.sh FOLDER [COMMAND...]}")
shift
repository=$(cd "$(dirname "$0")/.." && pwd)
binds=()
failed=0

if [[ ! -x $folder/usr/bin/python3.11 ]]; then
    debootstrap --variant=minbase --include=python3.11,python3-pip,make,ca-certificates bookworm "$folder" ${MIRROR:+"$MIRROR"}
fi
cp /etc/resolv.conf /etc/hosts "$folder/etc/"
cp -L /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/certs/"
pip_conf=$(python3 -m pip config debug 2>/dev/null | sed -n 's/^ *\(.*\), exists: True$/\1/p')
for file in $pip_conf; do sed '/^\[/d' "$file"; done | { echo '[global]'; sort -u; } >"$folder/etc/pip.conf"

cleanup() { for mounted in "${binds[@]}"; do umount -l "$mounted" || true; done; }
trap cleanup EXIT
for place in /proc /dev ${BIND:-}; do
    mkdir -p "$folder$place"
    mount --rbind "$place" "$folder$place"
    mount --make-rslave "$folder$place"
    binds+=("$folder$place")
done
chroot "$folder" id tester >/dev/null 2>&1 || chroot "$folder" useradd --create-home --shell /bin/bash tester

for user in ${USERS:-root tester}; do
    home=$(chroot "$folder" getent passwd "$user" | cut -d: -f6)
    rm -rf "${folder:?}$home/remit"
    git clone --quiet "$repository" "$folder$home/remit"
    chroot "$folder" chown -R "$user" "$home/remit"
    if (($#)); then steps=("$*"); else steps=("make demo" "make demo" "make test"); fi
    for step in "${steps[@]}"; do
        echo "== $user: $step"
        start=$(date +%s.%N)
        env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin chroot "$folder" su - "$user" -s /bin/bash -c "cd remit && $step" || failed=1
        echo "== $user: $step: $(echo "$(date +%s.%N) $start" | awk '{printf "%.1f", $1 - $2}') s"
    done
done
exit "$failed"
