#!/bin/sh
# Makes the certificates that the golden cases and the tests of src/config read as certs/. They stand in the project
# because their dates and fingerprints are part of what is expected. The keys are for nothing else.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

touch "$work/index.txt"
cat >"$work/ca.cnf" <<CONFIG
[ca]
default_ca = own
[own]
database = $work/index.txt
new_certs_dir = $work
rand_serial = yes
default_md = sha256
default_crl_days = 36500
policy = any
unique_subject = no
[any]
commonName = optional
CONFIG

ec="-newkey ec -pkeyopt ec_paramgen_curve:P-256"

# sign NAME ISSUER EXTENSIONS [KEY OPTIONS] [START] [END] [MORE]
sign() {
  printf '%b' "$3" >"$work/ext"
  # shellcheck disable=SC2086
  openssl req -new ${4:-$ec} -nodes -keyout "$1.key" -out "$work/csr" -subj "/CN=$1" 2>/dev/null
  if [ "$2" = self ]; then issuer="-selfsign -keyfile $1.key"; else issuer="-cert $2.pem -keyfile $2.key"; fi
  # shellcheck disable=SC2086
  openssl ca -config "$work/ca.cnf" $issuer -batch -notext -in "$work/csr" -out "$1.pem" -extfile "$work/ext" \
    -startdate "${5:-20260101000000Z}" -enddate "${6:-21260101000000Z}" ${7:-} 2>/dev/null
}

ca="basicConstraints=critical,CA:TRUE"
san="subjectAltName=DNS:Shop.example.com,DNS:*.shop.example.com,IP:192.0.2.7,IP:2001:db8::7"

sign root self "$ca"
sign middle root "$ca"
sign shop root "$san\nextendedKeyUsage=serverAuth"
sign shop-rsa root "$san" "-newkey rsa:2048"
sign shop-again root "subjectAltName=DNS:api.example.com,DNS:shop.example.com"
sign shop-ed25519 root "$san" "-newkey ed25519"
sign client root "subjectAltName=DNS:client.example.com,URI:spiffe://example.com/shop\nextendedKeyUsage=clientAuth"
sign alone self "subjectAltName=DNS:alone.example.com"
sign published middle "subjectAltName=DNS:shop.example.com\nauthorityInfoAccess=caIssuers;URI:http://ca.example.com/middle.der"
sign expired root "$san" "$ec" 20200101000000Z 20200401000000Z
sign future root "$san" "$ec" 21000101000000Z 21010101000000Z
sign nameless root "basicConstraints=CA:FALSE"
sign weak-rsa root "$san" "-newkey rsa:1024"
sign weak-sha1 root "$san" "$ec" 20260101000000Z 21260101000000Z "-md sha1"
sign weak-curve root "$san" "-newkey ec -pkeyopt ec_paramgen_curve:secp224r1"
sign ed448 root "$san" "-newkey ed448"

openssl ec -in shop.key -aes256 -passout pass:secret -out encrypted.key 2>/dev/null
openssl pkey -in shop.key -aes256 -passout pass:secret -out encrypted-pkcs8.key 2>/dev/null
openssl x509 -in shop.pem -outform der -out shop.der
cat published.pem middle.pem >whole.pem
cat published.pem middle.pem root.pem >with-root.pem
cat published.pem root.pem middle.pem >wrong-order.pem
cat published.pem root.pem >gap.pem
cat middle.pem published.pem >leaf-last.pem
cat shop.pem shop.key >both.pem
printf -- '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n' >broken.pem
printf -- '-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n' >broken.key
printf -- '-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n' >broken-crl.pem
printf 'not PEM\n' >text.pem
openssl ca -config "$work/ca.cnf" -cert root.pem -keyfile root.key -gencrl -out crl.pem 2>/dev/null
openssl ca -config "$work/ca.cnf" -cert root.pem -keyfile root.key -gencrl -crl_lastupdate 20200101000000Z \
  -crl_nextupdate 20200201000000Z -out crl-overdue.pem 2>/dev/null || echo no old CRL
rm root.key middle.key
