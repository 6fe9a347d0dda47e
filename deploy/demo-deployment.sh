#!/bin/sh
# One machine, one node, two releases: an instance with people and messages is brought to the new release, tried by the smoke test, and taken back.
# Everything is done with the commands of the operator's guide, in a folder of its own that is removed afterwards; nothing else is touched.
#
#   deploy/demo-deployment.sh                   this checkout is both releases
#   deploy/demo-deployment.sh /opt/althing.old  from that one to this one
#
# Ports: 18470 to 18475, unless ALTHING_PORT and the like say otherwise. It ends with `deployment ok` and 0, or with what went wrong and 1.
set -eu

after=$(cd "$(dirname "$0")/.." && pwd)
before=$(cd "${1:-$after}" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/althing-deployment.XXXXXX")
up=

finish() {
  if [ -n "$up" ]; then kill "$up" 2>/dev/null && wait "$up" || true; fi
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

say() { printf '%s\n' "$*"; }
fail() {
  say "deployment failed: $*" >&2
  exit 1
}

# The release that runs is what `current` points at, as in /opt: switching it is all that an update does to the program.
use() {
  rm -f "$work/current"
  ln -s "$1" "$work/current"
}
althing() { "$work/current/althing" "$@"; }

start() {
  : >up.json
  "$work/current/althing" up --json >up.json 2>up.log &
  up=$!
  until grep -q '"url"' up.json; do
    kill -0 "$up" 2>/dev/null || { cat up.json up.log >&2; up=; fail "the instance does not start"; }
    sleep 0.2
  done
}
stop() {
  althing stop --quiet >/dev/null
  wait "$up" || fail "the instance did not end in order"
  up=
}
# Is the message in the room? As a member reads it, decrypted. In the first seconds after data went back requests are refused: nobody knows which were answered before.
holds() {
  tries=0
  until althing room history garden --as alice.id --quiet >history.txt 2>refused.txt; do
    tries=$((tries + 1))
    if [ "$tries" -ge 30 ] || ! grep -q 'auth.replayed' refused.txt; then cat refused.txt >&2; fail "the room cannot be read"; fi
    sleep 1
  done
  grep -q "$1" history.txt
}

mkdir -m 0700 "$work/home"
cd "$work/home"
printf 'port = 18470\nlog_level = "warn"\n' >althing.toml

say "1. the release before, with people and messages"
use "$before"
althing identity new alice.id --quiet >/dev/null
althing bootstrap --as alice.id --handle alice --quiet >/dev/null
start
althing room create garden --as alice.id --quiet >/dev/null
althing room send garden "before the update" --as alice.id --quiet >/dev/null
stop

say "2. an update that fails is taken back by itself: the smoke test is run as somebody who is nobody here"
use "$after"
althing identity new stranger.id --quiet >/dev/null
if althing upgrade --as stranger.id --quiet >failed.txt 2>&1; then fail "an update whose smoke test fails was taken"; fi
grep -q 'upgrade.failed' failed.txt || { cat failed.txt >&2; fail "the update failed with something else"; }

say "3. the update: backup, migration, start on loopback, smoke test"
althing upgrade --as alice.id 2>upgrade.txt >/dev/null || { cat upgrade.txt >&2; fail "the update"; }
grep -q 'the smoke test is green' upgrade.txt || fail "the smoke test was not run"
start
holds "before the update" || fail "a message from before the update is gone"
althing room send garden "after the update" --as alice.id --quiet >/dev/null
stop

say "4. back to the release before, and to the data of before the update"
althing rollback --yes --quiet >/dev/null
use "$before"
start
holds "before the update" || fail "a message from before the update is gone after the rollback"
if holds "after the update"; then fail "what was written after the backup is still there"; fi
stop

say "deployment ok"
