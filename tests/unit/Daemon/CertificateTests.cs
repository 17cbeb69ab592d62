using System.Security.Cryptography.X509Certificates;
using System.Text;
using Couic.CommandLine;
using Couic.Config;
using Couic.Daemon;
using Couic.Native;
using Couic.Tests.Api;
using Couic.Tests.Cli;
using Couic.Tests.Fakes;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Daemon;

/// <summary>The command that makes a certificate, the files of [server.tls], and the warnings before their end.</summary>
public sealed class CertificateTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TheCommand_WritesWhatTheServerTakes_AndPrintsItsFingerprint()
    {
        CliResult made = Run("--name", "couic1.example.net", "--name", "192.0.2.1", "--name", "[2001:db8::1]", "--days", "90", "--out", _folder["tls"]);
        Assert.Equal((0, string.Empty), (made.Status, made.Error));
        Assert.Equal("600", Mode("tls/key.pem"));
        Assert.Equal("644", Mode("tls/cert.pem"));

        ServerCertificate read = Load(new TlsSettings(_folder["tls/cert.pem"], _folder["tls/key.pem"]))!;
        Assert.Equal(["couic1.example.net", "192.0.2.1", "2001:db8::1"], read.Names);
        Assert.InRange(read.NotAfter, DateTimeOffset.UtcNow.AddDays(89.9), DateTimeOffset.UtcNow.AddDays(90));
        Assert.Equal(2, made.Out.Split(read.Fingerprint).Length - 1);
        Assert.Contains("host = \"couic1.example.net\"\n", made.Out, StringComparison.Ordinal);
        using X509Certificate2 certificate = X509Certificate2.CreateFromPem(File.ReadAllText(_folder["tls/cert.pem"]));
        Assert.Equal(read.Fingerprint, Fingerprint.Of(certificate.RawData));
        Assert.Equal("ECC", certificate.GetECDsaPublicKey() is { KeySize: 256 } ? "ECC" : "other");

        // The printed lines are a configuration.
        string lines = made.Out[made.Out.IndexOf("    [server]", StringComparison.Ordinal)..made.Out.IndexOf("Where others", StringComparison.Ordinal)].Replace("[server]", "[server]\nsocket = \"/s\"", StringComparison.Ordinal);
        var faults = new List<Fault>();
        Settings? settings = SettingsReader.Read(
            "f", Encoding.UTF8.GetBytes($"ifaces = [\"lo\"]\nworking_dir = \"/w\"\nuser = \"0\"\ngroup = \"0\"\n[logging]\ndir = \"-\"\n{lines}"), faults, checkHost: false);
        Assert.Empty(faults);
        Assert.Equal(_folder["tls/cert.pem"], settings!.Tls!.CertFile);
    }

    [Fact]
    public void FilesThatAreThere_AreReplacedWithForceOnly()
    {
        Assert.Equal(0, Run("--name", "a.test", "--out", _folder.Path).Status);
        string before = File.ReadAllText(_folder["key.pem"]);
        CliResult second = Run("--name", "a.test", "--out", _folder.Path);
        Assert.Equal((ExitStatus.Present, $"couic: write \"{_folder["key.pem"]}\": it is there already (--force replaces it)\n"), (second.Status, second.Error));
        Assert.Equal(before, File.ReadAllText(_folder["key.pem"]));
        Assert.Equal(0, Run("--name", "a.test", "--out", _folder.Path, "--force").Status);
        Assert.NotEqual(before, File.ReadAllText(_folder["key.pem"]));
        Assert.NotNull(Load(new TlsSettings(_folder["cert.pem"], _folder["key.pem"])));
    }

    [Theory]
    [InlineData("a b", "couic: --name \"a b\" is neither a name nor an address (no scheme, no port, no path)")]
    [InlineData("https://a", "couic: --name \"https://a\" is neither a name nor an address (no scheme, no port, no path)")]
    [InlineData("10.1", "couic: --name \"10.1\" is not an address (an IPv4 address is four decimal numbers without leading zeros)")]
    public void BadNames_AreRefused(string name, string message)
    {
        CliResult result = Run("--name", name, "--out", _folder["x"]);
        Assert.Equal(ExitStatus.Usage, result.Status);
        Assert.StartsWith(message, result.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder["x"]));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("3651")]
    [InlineData("-1")]
    [InlineData("1e3")]
    public void BadDays_AreRefused(string days) => Assert.Equal(ExitStatus.Usage, Run("--name", "a.test", $"--days={days}", "--out", _folder["x"]).Status);

    [Fact]
    public void EachFaultOfTheFiles_IsNamed()
    {
        Run("--name", "a.test", "--out", _folder.Path);
        (string certificate, string key) = (_folder["cert.pem"], _folder["key.pem"]);
        string other = _folder.Write("other.pem", SelfSigned.Make(["b"], TimeSpan.FromDays(1), DateTimeOffset.UtcNow).Key);
        string encrypted = _folder.Write("encrypted.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
        string open = _folder.Write("open.pem", File.ReadAllText(key), "644");
        AssertFault($"server.tls.cert_file \"{_folder["no"]}\": no such file or directory", new TlsSettings(_folder["no"], key));
        AssertFault($"server.tls.cert_file \"{_folder.Path}\": is not a regular file", new TlsSettings(_folder.Path, key));
        AssertFault($"server.tls.cert_file \"{key}\": it holds no certificate (expected PEM, -----BEGIN CERTIFICATE-----)", new TlsSettings(key, key));
        AssertFault($"server.tls.key_file \"{encrypted}\": it is encrypted (openssl pkey -in FILE writes it without its password)", new TlsSettings(certificate, encrypted));
        AssertFault($"server.tls.key_file \"{open}\": every user may read it (chmod o= \"{open}\")", new TlsSettings(certificate, open));
        AssertFault($"server.tls: use the key: key values mismatch (cert_file \"{certificate}\", key_file \"{other}\")", new TlsSettings(certificate, other));
        AssertFault($"server.tls: read the key: unsupported (cert_file \"{certificate}\", key_file \"{certificate}\")", new TlsSettings(certificate, certificate), chmod: certificate);
        AssertFault($"server.tls: read the authorities of clients: unknown error (cert_file \"{certificate}\", key_file \"{key}\", client_ca_file \"{other}\")", new TlsSettings(certificate, key, other));

        File.SetUnixFileMode(certificate, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        var faults = new List<string>();
        Assert.Null(ServerCertificate.Load(new TlsSettings(certificate, key), new FileOwner(12_345, 12_345), faults));
        Assert.StartsWith($"server.tls.key_file \"{key}\": the daemon's user 12345 may not read it, and has to at each reload (chown 12345 ", Assert.Single(faults), StringComparison.Ordinal);
    }

    [Fact]
    public void ALink_IsFollowed()
    {
        Run("--name", "a.test", "--out", _folder["live"]);
        File.CreateSymbolicLink(_folder["cert"], _folder["live/cert.pem"]);
        File.CreateSymbolicLink(_folder["key"], _folder["live/key.pem"]);
        Assert.NotNull(Load(new TlsSettings(_folder["cert"], _folder["key"])));
    }

    [Fact]
    public void TheLog_WarnsThirtyAndSevenDaysBefore_AndAtTheEnd_OnceEach_AndHealthFromSevenDaysOn()
    {
        var clock = new ManualClock();
        var log = new LogBook();
        var certificate = new ServerCertificate(null!, clock.GetUtcNow(), clock.GetUtcNow().AddDays(40), "sha256:0", ["a"]);
        using var keeper = new CertificateKeeper(certificate, clock, log);
        var warned = new List<int>();
        for (int day = 0; day <= 42; day++)
        {
            int before = log.Lines.Count;
            keeper.WarnOfEnd();
            keeper.WarnOfEnd();
            warned.AddRange(Enumerable.Repeat(40 - day, log.Lines.Count - before));
            Assert.Equal(40 - day <= 7, keeper.Fault is not null);
            clock.Advance(TimeSpan.FromDays(1));
        }

        Assert.Equal([30, 7, -1], warned);
        Assert.Contains("has ended on ", keeper.Fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sha256:{0}", true)]
    [InlineData("SHA256:{0}", true)]
    [InlineData("sha256:{0}0", false)]
    [InlineData("{0}", false)]
    [InlineData("sha1:{0}", false)]
    public void AFingerprint_IsReadInAnySpelling(string form, bool isGood)
    {
        string digits = string.Concat(Enumerable.Range(0, 32).Select(i => $"{i * 7:X2}"));
        Assert.Equal(isGood ? $"sha256:{digits.ToLowerInvariant()}" : null, Fingerprint.Read(string.Format(null, form, digits)));
        string colons = string.Join(':', Enumerable.Range(0, 32).Select(i => $"{i * 7:X2}"));
        Assert.Equal(isGood ? $"sha256:{digits.ToLowerInvariant()}" : null, Fingerprint.Read(string.Format(null, form, colons)));
    }

    private static void AssertFault(string fault, TlsSettings tls, string? chmod = null)
    {
        if (chmod is not null)
        {
            File.SetUnixFileMode(chmod, UnixFileMode.UserRead);
        }

        var faults = new List<string>();
        Assert.Null(ServerCertificate.Load(tls, FileOwner.Current, faults));
        Assert.Equal([fault], faults);
    }

    private static ServerCertificate? Load(TlsSettings tls)
    {
        var faults = new List<string>();
        ServerCertificate? read = ServerCertificate.Load(tls, FileOwner.Current, faults);
        Assert.Empty(faults);
        return read;
    }

    private string Mode(string name) => FileState.ModeText((int)File.GetUnixFileMode(_folder[name]));

    private CliResult Run(params string[] words)
    {
        string config = _folder.Write("couic.toml", $"ifaces = [\"lo\"]\nworking_dir = \"{_folder.Path}\"\nuser = \"{FileOwner.Current.Uid}\"\ngroup = \"{FileOwner.Current.Gid}\"\nserver.socket = \"/s\"\nlogging.dir = \"-\"\n");
        using var output = new MemoryStream();
        using var error = new StringWriter { NewLine = "\n" };
        var context = new CliContext(output, error, Stream.Null, Terminal.None) { Environment = _ => null };
        int status = CommandProgram.Run(CouicCommands.Root, ["-c", config, "certificate", .. words], context);
        return new CliResult(status, Encoding.UTF8.GetString(output.ToArray()), error.ToString());
    }
}
