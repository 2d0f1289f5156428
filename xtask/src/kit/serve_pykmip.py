"""Serves a real PyKMIP on a port of this machine.

usage: serve_pykmip.py FOLDER PORT

FOLDER gets, where they are not there yet, the certificate of an authority (ca.pem), those of the server and of a client with
their keys (server.pem, server.key, client.pem, client.key), and the database. Once it answers, it prints "listening on PORT".
"""

import datetime
import ipaddress
import os
import sys
import types
import warnings

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# PyKMIP uses algorithms that are on their way out.
warnings.simplefilter("ignore")

FOLDER, PORT = sys.argv[1], int(sys.argv[2])


def path(name):
    return os.path.join(FOLDER, name)


def write(name, data):
    with open(os.open(path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)


def certificate(name, key, issuer, issuer_key, extensions):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=30))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    signed = builder.sign(issuer_key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def certificates():
    # PyKMIP speaks TLS 1.2 with ciphers that are secure for keys on curves alone.
    def key():
        return ec.generate_private_key(ec.SECP256R1())

    authority = key()
    is_authority = [(x509.BasicConstraints(ca=True, path_length=None), True)]
    write("ca.pem", certificate("authority", authority, "authority", authority, is_authority))
    here = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    for name, usage in [
        ("server", ExtendedKeyUsageOID.SERVER_AUTH),
        ("client", ExtendedKeyUsageOID.CLIENT_AUTH),
    ]:
        own = key()
        extensions = [
            (here, False),
            (x509.BasicConstraints(ca=False, path_length=None), True),
            # Without it PyKMIP lets no client in.
            (x509.ExtendedKeyUsage([usage]), False),
        ]
        write(name + ".pem", certificate(name, own, "authority", authority, extensions))
        pem = own.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write(name + ".key", pem)


def main():
    from kmip.services.server import server as pykmip

    if not os.path.exists(path("client.key")):
        certificates()
    os.makedirs(path("policies"), exist_ok=True)
    # It keeps policies in a process of its own, which would outlive this one when it is killed.
    pykmip.multiprocessing = types.SimpleNamespace(Manager=lambda: types.SimpleNamespace(dict=dict))
    server = pykmip.KmipServer(
        hostname="127.0.0.1",
        port=PORT,
        certificate_path=path("server.pem"),
        key_path=path("server.key"),
        ca_path=path("ca.pem"),
        auth_suite="TLS1.2",
        config_path=None,
        log_path=path("server.log"),
        policy_path=path("policies"),
        enable_tls_client_auth=True,
        logging_level="INFO",
        database_path=path("database.sqlite"),
    )
    with server:
        # As it does again itself.
        server._socket.listen(5)
        print("listening on %d" % PORT, flush=True)
        server.serve()


if __name__ == "__main__":
    main()
