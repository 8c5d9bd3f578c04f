"""An authority of the test's own: keys and certificates of any name and date, by openssl."""
import datetime
import os
import subprocess

CONFIG = """
[ca]
default_ca = own
[own]
dir = {folder}
database = {folder}/index
new_certs_dir = {folder}
serial = {folder}/serial
default_md = sha256
policy = any
copy_extensions = copyall
unique_subject = no
[any]
commonName = supplied
"""


def openssl(*arguments):
    run = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise AssertionError(f"openssl {' '.join(arguments)}: {run.stderr}")


def date(days):
    """So many days from now, as openssl ca wants it."""
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return moment.strftime("%Y%m%d%H%M%SZ")


class Authority:
    def __init__(self, folder, name):
        self.folder = os.path.join(folder, name)
        os.mkdir(self.folder)
        self.pem, self.key = self.path("ca.pem"), self.path("ca.key")
        self._key(self.key)
        openssl("req", "-x509", "-key", self.key, "-out", self.pem, "-subj", f"/CN={name}",
                "-days", "4000")
        for file, text in (("index", ""), ("serial", "01\n"),
                           ("config", CONFIG.format(folder=self.folder))):
            with open(self.path(file), "w", encoding="ascii") as stream:
                stream.write(text)

    def path(self, name):
        return os.path.join(self.folder, name)

    @staticmethod
    def _key(path, password=None):
        plain = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path]
        openssl(*plain, *(["-aes-128-cbc", "-pass", f"pass:{password}"] if password else []))

    def issue(self, name, san="", common_name="x", days=(-1, 2), password=None):
        """Makes NAME.pem and NAME.key: returns their paths. san: "DNS:a,IP:1.2.3.4"."""
        key = self.path(f"{name}.key")
        self._key(key, password)
        os.chmod(key, 0o600)
        return self.sign(name, key, san, common_name, days, password), key

    def sign(self, name, key, san="", common_name="x", days=(-1, 2), password=None):
        cert, request = self.path(f"{name}.pem"), self.path(f"{name}.csr")
        openssl("req", "-new", "-key", key, "-out", request, "-subj", f"/CN={common_name}",
                *(["-passin", f"pass:{password}"] if password else []),
                *(["-addext", f"subjectAltName={san}"] if san else []))
        openssl("ca", "-batch", "-notext", "-config", self.path("config"), "-cert", self.pem,
                "-keyfile", self.key, "-in", request, "-out", cert,
                "-startdate", date(days[0]), "-enddate", date(days[1]))
        return cert
