"""List the programs of each class that a rule may name as `class:NAME`.

Out     CLASSES: for each class the names under which its programs are found
Source  docs/policies.md
"""

from __future__ import annotations

from collections.abc import Mapping

CLASS_PREFIX = "class:"


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


CLASSES: Mapping[str, frozenset[str]] = {
    "archivers": _names(
        "7z 7za 7zr ar bsdtar bunzip2 bzip2 compress cpio gtar gunzip gzip lz4 lzma p7zip pax pigz rar shar "
        "tar unrar unxz unzip unzstd xz zip zstd"
    ),
    "cloud": _names(
        "aws az azcopy b2 bq doctl eksctl gcloud gsutil heroku ibmcloud linode-cli mc oci openstack rclone "
        "s3cmd s4cmd s5cmd sam scw swift terraform tofu pulumi vault"
    ),
    "compilers": _names(
        "as c++ c89 c99 cc clang clang++ cmake cpp g++ gcc gfortran go ghc ghdl javac ld make gmake nasm ninja "
        "rustc cargo tcc yasm"
    ),
    "containers": _names(
        "buildah buildctl containerd crictl ctr docker docker-compose helm k0s k3s kubeadm kubectl lxc "
        "lxc-attach minikube machinectl nerdctl oc podman podman-compose runc crun skopeo systemd-nspawn"
    ),
    "databases": _names(
        "clickhouse-client cqlsh influx mariadb mariadb-dump mongo mongodump mongoexport mongorestore mongosh "
        "mysql mysqladmin mysqldump pg_basebackup pg_dump pg_dumpall pg_restore pgbench psql redis-cli sqlcmd "
        "sqlite sqlite3 sqlplus valkey-cli etcdctl createdb dropdb createuser dropuser"
    ),
    "downloaders": _names(
        "aria2c axel curl curlie elinks fetch http https httpie lftp links lwp-download lwp-request lynx "
        "w3m wget wget2 xh"
    ),
    "editors": _names(
        "ed emacs emacsclient ex gvim jed jmacs joe kak mcedit micro nano ne nvi nvim pico red rnano rview rvim "
        "sensible-editor editor vi view vim vimdiff vim.basic vim.tiny sudoedit visudo vipw vigr"
    ),
    "interpreters": _names(
        "awk bun busybox deno elixir erl expect gawk gdb groovy guile irb ipython ipython3 java jrunscript julia "
        "lua lua5.1 lua5.2 lua5.3 lua5.4 luajit mawk nawk node nodejs ocaml octave original-awk perl perl5 php "
        "php7 php8 pry pwsh pypy pypy3 python python2 python2.7 python3 python3.8 python3.9 python3.10 "
        "python3.11 python3.12 python3.13 R Rscript racket ruby scala sbcl swipl tclsh ts-node wish"
    ),
    "network": _names(
        "arp arping bettercap chisel cryptcat dig dnscat dnscat2 ettercap ftp hping3 host iodine masscan mosh nc "
        "nc.openbsd nc.traditional ncat netcat ngrok nmap nslookup openssl ping ping6 proxychains proxychains4 "
        "pwncat responder rlogin rsh rsync scp sftp slogin smbclient socat ssh sshpass sshuttle stunnel telnet "
        "tcpdump tftp traceroute tshark websocat whois zmap cloudflared frpc frps tor torsocks"
    ),
    "package-managers": _names(
        "apk apt apt-get aptitude brew cabal conan conda cpan cpanm dnf dpkg easy_install emerge flatpak gem "
        "gradle guix luarocks mamba microdnf mvn nix nix-env npm npx opkg pacman pear pecl pip pip2 pip3 "
        "pipx pnpm poetry rpm snap tdnf uv uvx yarn yay yum zypper composer bundle bundler easy_install3"
    ),
    "pagers": _names(
        "bat batcat journalctl less lesspipe lv man more most pg systemctl view w3m zless zmore"
    ),
    "readers": _names(
        "base32 base64 basenc bat batcat bzcat bzgrep cat cmp comm cut dd diff egrep expand fgrep fmt fold "
        "grep head hd hexdump iconv jq join less lz4cat more nl od paste pr rev rg sed sort strings tac tail "
        "tee tr uniq unexpand uuencode view wc xxd xzcat yq zcat zgrep zless zmore zstdcat ack ag"
    ),
    "schedulers": _names("anacron at atd atrm batch cron crond crontab fcron fcrontab incrontab systemd-run"),
    "services": _names(
        "chkconfig init initctl invoke-rc.d launchctl monit openrc pm2 rc-service rc-update runsv s6-svc service "
        "shutdown reboot halt poweroff supervisorctl sv systemctl telinit update-rc.d sysv-rc-conf"
    ),
    "shells": _names(
        "ash bash bash4 bash5 csh dash elvish fish ksh ksh93 mksh nu oksh pdksh posh rbash rksh rzsh sh tcsh "
        "xonsh yash zsh"
    ),
    "users": _names(
        "addgroup adduser chage chfn chpasswd chsh delgroup deluser gpasswd groupadd groupdel groupmod grpck "
        "newgrp newusers passwd pwck pwconv pwunconv useradd userdel usermod vigr vipw"
    ),
}
