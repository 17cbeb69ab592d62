using System.Text;
using Couic.Native;
using Microsoft.Extensions.Logging;

namespace Couic.Config;

/// <summary>Turns couic.toml into <see cref="Settings"/>: every key, its type, its range and, if asked, whether this machine has what it names.</summary>
public sealed partial class SettingsReader
{
    /// <summary>sun_path of linux/un.h without the NUL.</summary>
    private const int MaxSocketPathBytes = 107;

    /// <summary>Keys that are known somewhere else, for whoever puts one under the wrong header; those of peers are too common.</summary>
    private static readonly string[] Places =
        [.. SettingsKey.All.Select(key => key.Name).Where(name => !name.StartsWith("peering.peers.", StringComparison.Ordinal))];

    private readonly List<Fault> _faults;
    private readonly KeyReader _top;

    private SettingsReader(string file, ReadOnlySpan<byte> utf8, List<Fault> faults)
    {
        int before = faults.Count;
        TomlTable table = TomlDocument.Read(file, utf8, faults);
        _faults = faults;
        _top = new KeyReader(file, table, faults, isComplete: faults.Count == before);
    }

    /// <summary>Reads a file or the embedded default, and looks whether user, group and working folder exist here.</summary>
    /// <returns>Null when there is any fault; all of them are added to <paramref name="faults"/>, in the order of the file.</returns>
    public static Settings? Read(SettingsSource source, List<Fault> faults) =>
        Read(source.Path, Encoding.UTF8.GetBytes(source.Text), faults, checkHost: !source.IsEmbedded);

    /// <summary>Reads a text. <paramref name="file"/> names it in the faults; <paramref name="checkHost"/>: also look at this machine.</summary>
    /// <inheritdoc cref="Read(SettingsSource, List{Fault})"/>
    public static Settings? Read(string file, ReadOnlySpan<byte> utf8, List<Fault> faults, bool checkHost)
    {
        List<Fault> own = [];
        var reader = new SettingsReader(file, utf8, own);
        Settings settings = reader.ReadAll();
        if (checkHost)
        {
            reader.CheckHost(settings);
        }

        faults.AddRange(own.OrderBy(fault => fault.Line).ThenBy(fault => fault.Column));
        return own.Count == 0 ? settings : null;
    }

    private Settings ReadAll()
    {
        var settings = new Settings
        {
            Ifaces = ReadIfaces(),
            RequireIfaces = _top.Boolean("require_ifaces", false),
            OperationMode = _top.Word(
                "operation_mode",
                OperationMode.Generic,
                ("generic", OperationMode.Generic),
                ("native", OperationMode.Native),
                ("offloaded", OperationMode.Offloaded),
                ("auto", OperationMode.Auto)),
            Match = ReadMatch(),
            WorkingDir = _top.FullPath("working_dir", isRequired: true) ?? string.Empty,
            User = _top.RequiredText("user") ?? string.Empty,
            Group = _top.RequiredText("group") ?? string.Empty,
            Logging = ReadLogging(_top.Table("logging")),
            Server = ReadServer(_top.Table("server")),
            Limits = ReadLimits(_top.Table("limits")),
            Reporting = ReadReporting(_top.Table("reporting")),
            Peering = ReadPeering(_top.Table("peering")),
            Guard = ReadGuard(_top.Table("guard")),
        };
        _top.Finish(Places.Where(place => place.Contains('.', StringComparison.Ordinal)));
        return settings;
    }

    private List<string> ReadIfaces()
    {
        bool mayBeEmpty = _top.Boolean("allow_no_ifaces", false);
        List<string> names = [];
        if (_top.Texts("ifaces", isRequired: true) is not { } items)
        {
            return names;
        }

        foreach (TomlValue item in items)
        {
            string name = item.String;
            int bytes = Encoding.UTF8.GetByteCount(name);
            bool good = bytes is > 0 and <= NetworkInterface.MaxAlternativeNameBytes && name is not ("." or "..")
                && !name.Any(c => c is '/' or ':' || char.IsWhiteSpace(c) || char.IsControl(c));
            if (!good)
            {
                Fail(item, $"ifaces: {item} is not an interface name (1 to {NetworkInterface.MaxNameBytes} bytes, an alternative name up to {NetworkInterface.MaxAlternativeNameBytes}; no blanks, \"/\" or \":\"; ip link shows them)");
            }
            else if (names.Contains(name))
            {
                Fail(item, $"ifaces names {item} twice");
            }

            names.Add(name);
        }

        if (names.Count == 0 && !mayBeEmpty)
        {
            _top.Fail("ifaces", "ifaces is empty: nothing would be filtered (allow_no_ifaces = true if that is meant)");
        }

        return names;
    }

    private MatchSides ReadMatch() =>
        _top.Words("match", ("source", MatchSides.Source), ("destination", MatchSides.Destination)) is { Count: > 0 } sides
            ? sides.Aggregate((all, side) => all | side)
            : MatchSides.Source;

    private static LoggingSettings ReadLogging(KeyReader table)
    {
        string? dir = table.RequiredText("dir");
        var defaults = new LoggingSettings(null);
        var settings = new LoggingSettings(
            dir is null or "-" ? null : Path.GetFullPath(dir),
            table.Word("rotation", LogRotation.Daily, ("daily", LogRotation.Daily), ("weekly", LogRotation.Weekly), ("never", LogRotation.Never)),
            table.Number("max_log_files", 7, 1, 100_000),
            table.Word("format", LogFormat.Text, ("text", LogFormat.Text), ("json", LogFormat.Json)),
            table.Word(
                "level",
                LogLevel.Information,
                ("debug", LogLevel.Debug),
                ("info", LogLevel.Information),
                ("warn", LogLevel.Warning),
                ("error", LogLevel.Error)),
            table.Number("max_file_bytes", defaults.MaxFileBytes, 64 * KiB, int.MaxValue),
            table.Number("max_total_bytes", defaults.MaxTotalBytes, 64 * KiB, int.MaxValue));
        if (settings.MaxTotalBytes < settings.MaxFileBytes)
        {
            table.Fail(
                table.Has("max_total_bytes") ? "max_total_bytes" : "max_file_bytes",
                $"max_total_bytes ({settings.MaxTotalBytes}) is less than max_file_bytes ({settings.MaxFileBytes})");
        }

        table.Finish(Places);
        return settings;
    }

    private static ServerSettings ReadServer(KeyReader table)
    {
        string socket = table.FullPath("socket", isRequired: true) ?? string.Empty;
        int bytes = Encoding.UTF8.GetByteCount(socket);
        if (bytes > MaxSocketPathBytes)
        {
            table.Fail("socket", $"server.socket is {bytes} bytes long (the system takes at most {MaxSocketPathBytes} for a socket's path)");
        }

        table.Finish(Places);
        return new ServerSettings(socket);
    }

    private static GuardSettings ReadGuard(KeyReader table)
    {
        var settings = new GuardSettings(
            table.Word("mode", GuardMode.Warn, ("warn", GuardMode.Warn), ("refuse", GuardMode.Refuse), ("off", GuardMode.Off)));
        table.Finish(Places);
        return settings;
    }

    private static ReportingSettings ReadReporting(KeyReader table)
    {
        bool enabled = table.Boolean("enabled", false);
        string? text = enabled ? table.RequiredText("webhook") : table.Text("webhook");
        Uri? webhook = null;
        if (text is not null && !WebAddress.TryParse(text, out webhook))
        {
            // The address is not quoted: its path is a secret.
            table.Fail("webhook", "reporting.webhook is not a web address (https://HOST/PATH; HOST is a name, or an address in its usual spelling)");
        }

        table.Finish(Places);
        return new ReportingSettings(enabled, webhook);
    }

    private void CheckHost(Settings settings)
    {
        if (settings.User.Length > 0 && Accounts.FindUser(settings.User) is null)
        {
            _top.Fail("user", $"user = \"{settings.User}\": no such user (useradd --system {settings.User}; a number is taken too)");
        }

        if (settings.Group.Length > 0 && Accounts.FindGroup(settings.Group) is null)
        {
            _top.Fail("group", $"group = \"{settings.Group}\": no such group (groupadd --system {settings.Group}; a number is taken too)");
        }

        if (settings.WorkingDir.Length > 0)
        {
            Errno error = Files.TryStatTarget(settings.WorkingDir, out FileState state);
            if (error != Errno.None || state.Kind != FileKind.Folder)
            {
                string cause = error != Errno.None ? error.Text() : "is not a folder";
                _top.Fail("working_dir", $"working_dir = \"{settings.WorkingDir}\": {cause} (it must exist: mkdir -p \"{settings.WorkingDir}\")");
            }
        }
    }

    private void Fail(TomlValue value, string message) => _faults.Add(new Fault(_top.File, value.At.Line, value.At.Column, message));
}
