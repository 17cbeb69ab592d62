using System.Globalization;
using Couic.CommandLine;
using Couic.Config;
using Couic.Native;

namespace Couic.Daemon;

/// <summary><c>couic certificate</c>: writes a key and a certificate that is its own authority, and prints what refers to them.</summary>
internal static class CertificateCommand
{
    private const string DefaultFolder = "/etc/couic/tls";
    private const int DefaultDays = 825, MaxDays = 3_650;
    private const int MaxNames = 100;

    private static readonly OptionSpec Name = new("name", 'n', "NAME", "Name or address of this machine, as others connect to it; may be given several times")
    {
        Required = true,
        Repeats = true,
    };

    private static readonly OptionSpec Days = new("days", '\0', "DAYS", $"How long it is valid: 1 to {MaxDays} days") { Default = DefaultDays.ToString(CultureInfo.InvariantCulture) };

    private static readonly OptionSpec Out = new("out", 'o', "DIR", "Folder of cert.pem and key.pem; it is made when it is missing") { Default = DefaultFolder, Kind = ValueKind.File };

    private static readonly OptionSpec Force = new("force", '\0', null, "Replace files that are there");

    public static readonly CommandSpec Spec = new()
    {
        Name = "certificate",
        Summary = "Make a key and a self-signed certificate for [server.tls], and print its fingerprint",
        Details =
        [
            "The key is ECDSA P-256, mode 600, and belongs to the user of the configuration when root runs this.",
            "Peers and couicctl trust the certificate by its fingerprint; no certificate authority is needed.",
            "It can also be the certificate of a client: cert_file, key_file and client_ca_file take it.",
        ],
        Options = [Name, Days, Out, Force],
        Examples = ["couic certificate --name couic1.example.net", "couic certificate --name 192.0.2.1 --name couic1.example.net --days 90 --out ./tls"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        string[] names = [.. invocation.Options(Name.Long).Select(Check)];
        string days = invocation.Option(Days.Long) ?? Days.Default!;
        if (!int.TryParse(days, NumberStyles.None, CultureInfo.InvariantCulture, out int valid) || valid is < 1 or > MaxDays)
        {
            throw new UsageException($"--days \"{days}\" is not a number from 1 to {MaxDays}");
        }

        if (names.Length > MaxNames)
        {
            throw new UsageException($"--name is given {names.Length} times (at most {MaxNames})");
        }

        string folder = Path.GetFullPath(invocation.Option(Out.Long) ?? DefaultFolder);
        (string certificatePath, string keyPath) = (Path.Combine(folder, "cert.pem"), Path.Combine(folder, "key.pem"));
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        (string certificate, string key, byte[] der) = SelfSigned.Make(names, TimeSpan.FromDays(valid), now);
        Write(folder, Owner(invocation.Option("config")), invocation.Has(Force.Long), (keyPath, key), (certificatePath, certificate));
        File.SetUnixFileMode(certificatePath, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        string fingerprint = Fingerprint.Of(der);
        invocation.Out.Write($"""
            certificate  {certificatePath} ({string.Join(", ", names)}; until {(now + TimeSpan.FromDays(valid)).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)})
            key          {keyPath}
            fingerprint  {fingerprint}

            In couic.toml of this machine; then "couic check", and restart couic:

                [server]    # beside socket
                listen = ["[::]:2900"]

                [server.tls]
                cert_file = "{certificatePath}"
                key_file = "{keyPath}"

            Where others connect to it, under [[peering.peers]] or in couicctl.toml:

                host = "{names[0]}"
                port = 2900
                tls = true
                fingerprint = "{fingerprint}"

            """);
        return ExitStatus.Success;
    }

    private static string Check(string name) => HostText.Read(name) is { } host && !host.Contains('%', StringComparison.Ordinal)
        ? host
        : throw new UsageException($"--name \"{name}\" {HostText.FaultOf(name)}");

    /// <summary>The user that the daemon runs as, for root; any other user can only make files that it owns.</summary>
    private static FileOwner Owner(string? config)
    {
        if (FileOwner.Current.Uid != 0)
        {
            return FileOwner.Current;
        }

        var faults = new List<Fault>();
        try
        {
            SettingsSource source = SettingsSource.Locate(config);
            return SettingsReader.Read(source, faults) is { } settings ? Accounts.Resolve(settings.User, settings.Group)
                : throw new CliException($"find the user of the key: {faults[0]} (mend that first)");
        }
        catch (IOException e)
        {
            throw new CliException($"find the user of the key: {e.Message}");
        }
    }

    private static void Write(string folder, FileOwner owner, bool replaces, params (string Path, string Text)[] files)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"make folder \"{folder}\": {SystemErrors.Text(e)} (--out names another)");
        }

        if (!replaces && files.FirstOrDefault(file => Files.TryStat(file.Path, out _) != Errno.ENOENT) is { Path: { } taken })
        {
            throw new CliException($"write \"{taken}\": it is there already (--force replaces it)") { ExitStatus = ExitStatus.Present };
        }

        Errno error = Files.TryStatTarget(folder, out FileState state);
        foreach ((string path, string text) in files)
        {
            byte[] content = System.Text.Encoding.ASCII.GetBytes(text);
            GuardResult result = error != Errno.None ? new GuardResult(Native.GuardStatus.Failed, error.Text())
                : Identity.ActIn(state, owner, () => Files.TryStat(path, out _) == Errno.ENOENT ? GuardedFile.Create(path, content, owner) : GuardedFile.Replace(path, content, owner));
            if (!result.IsOk)
            {
                throw new CliException($"write \"{path}\": {result.Message}");
            }
        }
    }
}
