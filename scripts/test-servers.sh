#!/bin/sh
# test-servers.sh: find the real servers that tests need, and promtool, or install them where that is possible: as root on Debian
# and Ubuntu. Only the programs are wanted: the distribution's services are never started. MySQL, which cannot be
# installed beside MariaDB, is unpacked into a directory of its own. Exits 0 even if a server is missing, since its
# tests are then skipped, unless HOLDFAST_REQUIRE_SERVERS=1.
set -u

# Where internal/testserver looks, too.
PATH=$PATH:/usr/sbin:/usr/local/sbin
cache=${XDG_CACHE_HOME:-${HOME:-}/.cache}/holdfast

policy=/usr/sbin/policy-rc.d
ours=false

has() { command -v "$1" >/dev/null 2>&1; }
has_redis() { has redis-server; }
has_mariadb() { has mariadbd && has mariadb-install-db; }
has_nginx() { has nginx; }
has_promtool() { has promtool; }
has_mysql() { [ -n "$(find_mysqld)" ]; }

# find_mysqld prints the path of MySQL's mysqld. MariaDB has a program of that name, too.
find_mysqld() {
	for mysqld in mysqld /usr/sbin/mysqld /usr/local/sbin/mysqld "$cache/mysql/mysqld"; do
		case $("$mysqld" --version 2>/dev/null) in
		*MariaDB*) ;;
		*' Ver '*)
			command -v "$mysqld"
			return
			;;
		esac
	done
}

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
	if [ "$(id -u)" -ne 0 ]; then
		why="not root"
	elif ! [ -e /etc/debian_version ] || ! has apt-get; then
		why="neither Debian nor Ubuntu"
	elif ! $ours && ! forbid_services; then
		why="$policy allows services to be started"
	else
		why="apt-get failed"
		echo "test-servers: installing $* (programs only, no service is started)"
		apt install --no-install-recommends "$@" && return
		echo "test-servers: updating the package lists and trying again"
		apt update && apt install --no-install-recommends "$@" && return
		echo "test-servers: apt-get failed" >&2
	fi
	return 1
}

# unpack_mysql makes $cache/mysql, under another name first.
unpack_mysql() {
	why="neither Debian nor Ubuntu"
	has apt-get && has dpkg-deb || return
	has debootstrap && has gpgv || install_packages debootstrap gpgv || return
	why="$cache cannot be written"
	mkdir -p "$cache" && [ -w "$cache" ] || return
	exec 9>"$cache/mysql.lock" && flock 9 || return
	if ! has_mysql; then # nobody else was at it
		echo "test-servers: unpacking MySQL into $cache/mysql (once; it takes up to a minute)"
		rm -rf "$cache/mysql" "$cache/mysql.partial"
		mkdir "$cache/mysql.partial" && fetch_mysql "$cache/mysql.partial" && mv "$cache/mysql.partial/root" "$cache/mysql"
		rm -rf "$cache/mysql.partial"
	fi
	exec 9>&-
	has_mysql
}

# fetch_mysql brings mysqld and its libraries to $1/root. No package is installed, and nothing of theirs is run but
# mysqld: it needs neither root nor a chroot.
fetch_mysql() {
	mirror=$(find_mirror)
	if [ -z "$mirror" ]; then # nobody has updated the lists yet
		apt update
		mirror=$(find_mirror)
	fi
	case $mirror in
	Debian*) suite=sid package=mysql-server-core ;; # Debian's releases have only MariaDB
	Ubuntu*)
		suite=${mirror#* } suite=${suite% *}
		package=$(apt-cache search --names-only '^mysql-server-core-[0-9.]+$' | cut -d' ' -f1 | sort -V | tail -n 1)
		;;
	*)
		why="apt knows no mirror over HTTP"
		return 1
		;;
	esac
	proxy=
	eval "$(apt-config shell proxy Acquire::http::Proxy)"
	if [ -n "$proxy" ]; then export http_proxy="$proxy"; fi

	why="debootstrap failed"
	debootstrap --download-only --force-check-gpg --variant=minbase --include="$package" \
		"$suite" "$1/debs" "${mirror##* }" >"$1/log" 2>&1 </dev/null || { tail -n 20 "$1/log" >&2 && return 1; }

	why="the mysqld from ${mirror##* } does not run"
	for deb in "$1"/debs/var/cache/apt/archives/*.deb; do
		dpkg-deb -x "$deb" "$1/all" || return
	done
	# In some releases /lib and /lib64 are links into /usr.
	mkdir -p "$1/root/usr/sbin" "$1/root/usr/share" &&
		mv "$1"/all/lib* "$1/root" &&
		mv "$1"/all/usr/lib* "$1/root/usr" &&
		mv "$1/all/usr/sbin/mysqld" "$1/root/usr/sbin" &&
		mv "$1/all/usr/share/mysql" "$1/root/usr/share" &&
		write_mysqld "$1/root/mysqld" &&
		"$1/root/mysqld" --version >/dev/null
}

# find_mirror prints the distribution, its release and the address that apt gets them from.
find_mirror() {
	# shellcheck disable=SC2016 # apt's variables
	apt-get indextargets --format '$(ORIGIN)|$(COMPONENT)|$(CODENAME)|$(REPO_URI)' 'Created-By: Packages' |
		awk -F'|' '/^(Debian|Ubuntu)\|main\|[a-z]+\|https?:/ { print $1, $3, $4; exit }'
}

write_mysqld() {
	cat >"$1" <<'END' && chmod 755 "$1"
#!/bin/sh
# The mysqld of this directory, on the libraries of this directory.
root=${0%/*}
for loader in "$root"/lib/*/ld-linux*.so.*; do
	libraries=${loader%/*}
	exec "$loader" --library-path "$libraries:$root/usr${libraries#"$root"}" "$root/usr/sbin/mysqld" "$@" \
		--basedir="$root/usr" --lc-messages-dir="$root/usr/share/mysql"
done
END
}

packages=
has_redis || packages="$packages redis-server"
# The core packages hold mariadbd without its service.
has_mariadb || packages="$packages mariadb-server-core mariadb-client-core"
has_nginx || packages="$packages nginx"
has_promtool || packages="$packages prometheus"
# shellcheck disable=SC2086 # a list of words
[ -z "$packages" ] || install_packages $packages

missing=false
report() { # NAME PROGRAM SUITES PACKAGES
	if "has_$1"; then
		echo "test-servers: $1: $2"
		return
	fi
	missing=true
	echo "test-servers: $1 not found ($why): $3 will not run. Install: $4" >&2
}
report redis "$(command -v redis-server)" \
	"the tests against a real Redis (load, expiry, eviction, kill, failover to MySQL)" redis-server
report mariadb "$(command -v mariadbd)" \
	"the tests against a real MariaDB (locks, isolation, lost commits, kill)" "mariadb-server-core mariadb-client-core"
report nginx "$(command -v nginx)" \
	"the tests of docker-compose.yml's proxy" nginx
report promtool "$(command -v promtool)" \
	"the checks of Prometheus' configuration and rules" prometheus
# After MariaDB, whose packages replace a MySQL that is installed.
has_mysql || unpack_mysql
report mysql "$(find_mysqld)" \
	"the tests against a real MySQL (locks, isolation, lost commits, kill)" "MySQL 8.0.17 or later, or debootstrap"

if $missing && [ "${HOLDFAST_REQUIRE_SERVERS:-}" = 1 ]; then
	echo "test-servers: HOLDFAST_REQUIRE_SERVERS=1 demands every server" >&2
	exit 1
fi
