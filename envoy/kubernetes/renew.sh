#!/usr/bin/env bash
# Renews the certificate in a Secret when it ends soon, with the CA in another one. Runs in the pod of cronjob.yaml, which
# mounts both; certs.sh is beside it there. Needs bash, openssl and Python 3.
#
# The Secret changes in one request to the API server, certificate, key and CA together, and only when there is a new
# certificate. Where anything fails, it stays as it is and the job fails.
#
# Environment: SECRET, the Secret's name; HOSTS of a server, separated by commas, or CLIENT, the user of a client;
# DAYS, RENEW_DAYS and KEY as certs.sh has them. For another place than the pod: RENEW_ROOT, KUBERNETES_SERVICE_HOST and
# KUBERNETES_SERVICE_PORT.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
certs=$here/certs.sh
[[ -e $certs ]] || certs=$here/../certs.sh
root=${RENEW_ROOT:-}

die() {
  echo "renew.sh: $*" >&2
  exit 1
}

secret=${SECRET:?the name of the Secret}
[[ -n ${HOSTS:-} || -n ${CLIENT:-} ]] || die "neither HOSTS nor CLIENT is set"
[[ -z ${HOSTS:-} || -z ${CLIENT:-} ]] || die "both HOSTS and CLIENT are set"

umask 077
work=$(mktemp -d "$root/tmp/XXXXXX")
export TMPDIR=$work  # nothing else can be written to
trap 'rm -rf "$work"' EXIT

# Mounted Secrets are links; what is copied is one state of them. Without a CA certs.sh would make one.
for kind in crt key; do
  [[ -s $root/etc/renew/ca/tls.$kind ]] || die "the Secret of the CA has no tls.$kind"
  cp "$root/etc/renew/ca/tls.$kind" "$work/ca.$kind"
  [[ ! -e $root/etc/renew/current/tls.$kind ]] || cp "$root/etc/renew/current/tls.$kind" "$work/tls.$kind"
done

if [[ -n ${HOSTS:-} ]]; then
  made=$("$BASH" "$certs" --server tls "$HOSTS" "$work")
else
  made=$("$BASH" "$certs" --user tls "$CLIENT" "$work")
fi
ends=$(openssl x509 -in "$work/tls.crt" -noout -enddate)
if [[ -z $made ]]; then
  echo "$secret is kept; ${ends/=/ }"
  exit
fi

python3 - "$secret" "$work" "$root/var/run/secrets/kubernetes.io/serviceaccount" <<'PYTHON'
import base64, json, os, ssl, sys, urllib.error, urllib.request

secret, work, account = sys.argv[1:]
read = lambda folder, name: open(os.path.join(folder, name), "rb").read()
files = {"tls.crt": "tls.crt", "tls.key": "tls.key", "ca.crt": "ca.crt"}
data = {key: base64.b64encode(read(work, name)).decode() for key, name in files.items()}
host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
host = f"[{host}]" if ":" in host else host
namespace = read(account, "namespace").decode().strip()
request = urllib.request.Request(
    f"https://{host}:{port}/api/v1/namespaces/{namespace}/secrets/{secret}",
    method="PATCH",
    data=json.dumps({"data": data}).encode(),
    headers={
        "Authorization": "Bearer " + read(account, "token").decode().strip(),
        "Content-Type": "application/merge-patch+json",
    },
)
# The API server is this cluster's; no proxy of the environment is asked.
https = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=os.path.join(account, "ca.crt")))
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), https)
try:
    opener.open(request, timeout=30).close()
except urllib.error.HTTPError as error:
    answer = error.read(300).decode(errors="replace")
    sys.exit(f"renew.sh: the API server refuses to change the Secret {secret}: {error.code} {answer}")
except OSError as error:
    sys.exit(f"renew.sh: the API server cannot be asked: {error}")
PYTHON
echo "$secret is renewed; ${ends/=/ }"
