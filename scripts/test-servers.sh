#!/bin/sh
# test-servers.sh: find the real servers that tests need, or install them where that is possible: as root on Debian
# and Ubuntu. Only the programs are wanted: the distribution's services are never started. Exits 0 even if a server
# is missing, since its tests are then skipped, unless HOLDFAST_REQUIRE_SERVERS=1.
set -u

PATH=$PATH:/usr/sbin:/usr/local/sbin # where internal/testserver looks too
policy=/usr/sbin/policy-rc.d
ours=false

has() { command -v "$1" >/dev/null 2>&1; }
has_redis() { has redis-server; }
has_mariadb() { has mariadbd && has mariadb-install-db; }

forbid_services() {
	if [ -e "$policy" ]; then
		"$policy" redis-server start >/dev/null 2>&1
		[ $? -eq 101 ] # 101: action forbidden
		return
	fi
	ours=true
	printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
}

clean_up() { if $ours; then rm -f "$policy"; fi; }
trap clean_up EXIT
trap 'exit 130' INT TERM

apt() { DEBIAN_FRONTEND=noninteractive apt-get -y -q "$@" </dev/null; }

install_packages() {
	apt install --no-install-recommends "$@" && return
	echo "test-servers: updating the package lists and trying again"
	apt update && apt install --no-install-recommends "$@"
}

packages=
has_redis || packages="$packages redis-server"
# The core packages hold mariadbd without its service.
has_mariadb || packages="$packages mariadb-server-core mariadb-client-core"

if [ -n "$packages" ]; then
	if [ "$(id -u)" -ne 0 ]; then
		why="not root"
	elif ! [ -e /etc/debian_version ] || ! has apt-get; then
		why="neither Debian nor Ubuntu"
	elif ! forbid_services; then
		why="$policy allows services to be started"
	else
		why="apt-get failed"
		echo "test-servers: installing$packages (programs only, no service is started)"
		# shellcheck disable=SC2086 # a list of words
		install_packages $packages || echo "test-servers: apt-get failed" >&2
	fi
fi

missing=false
report() { # NAME PROGRAM SUITES
	if "has_$1"; then
		echo "test-servers: $1: $(command -v "$2")"
		return
	fi
	missing=true
	echo "test-servers: $2 not found ($why): $3 will not run. Install:$packages" >&2
}
report redis redis-server "the tests against a real Redis (load, expiry, eviction, kill, failover to MySQL)"
report mariadb mariadbd "the tests against a real MariaDB (locks, isolation, lost commits, kill)"

if $missing && [ "${HOLDFAST_REQUIRE_SERVERS:-}" = 1 ]; then
	echo "test-servers: HOLDFAST_REQUIRE_SERVERS=1 demands every server" >&2
	exit 1
fi
