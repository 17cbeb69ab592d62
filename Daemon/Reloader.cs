using Couic.Config;
using Couic.Http;
using Couic.Logging;
using Couic.Logging.Abstractions;
using Couic.Peering;
using Couic.Reporting;
using Couic.Sets;
using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Daemon;

/// <summary>
/// SIGHUP and <c>couicctl reload</c>: reads the configuration and the sets again and brings into force what can change without a
/// restart. A configuration with a fault changes nothing. Thread-safe.
/// </summary>
internal sealed partial class Reloader
{
    private readonly Lock _gate = new();
    private readonly string? _path;
    private readonly SetLoader _sets;
    private readonly LogFactory _logs;
    private readonly ReportSender _reports;
    private readonly PeeringService _peering;
    private readonly LockoutGuard _guard;
    private readonly ILogger _log;
    private Settings _settings;

    /// <param name="path">The configuration's file, or the name of the embedded default, which does not change.</param>
    public Reloader(string path, Settings settings, SetLoader sets, LogFactory logs, ReportSender reports, PeeringService peering, LockoutGuard guard)
    {
        _path = path == SettingsSource.EmbeddedName ? null : path;
        _settings = settings;
        _sets = sets;
        _logs = logs;
        _reports = reports;
        _peering = peering;
        _guard = guard;
        _log = logs.CreateLogger("reload");
    }

    /// <summary>What the daemon goes by now.</summary>
    public Settings InForce => Volatile.Read(ref _settings);

    /// <param name="actor">Who asked for it, for the log: a client's name, or a signal's.</param>
    /// <param name="stance">What becomes of sets that may lock somebody out.</param>
    /// <param name="requester">Addresses that the requester needs.</param>
    public ReloadResult Reload(string actor, LockoutStance stance, IReadOnlyList<ProtectedAddress> requester)
    {
        try
        {
            InternalErrors.Enter(Place.Reload);
            return ReloadAll(actor, stance, requester);
        }
        catch (Exception e)
        {
            InternalErrors.Caught(Place.Reload, _log, e);
            return new ReloadResult(false, $"internal error: {e.Message} (the log has more)");
        }
    }

    private ReloadResult ReloadAll(string actor, LockoutStance stance, IReadOnlyList<ProtectedAddress> requester)
    {
        lock (_gate)
        {
            var faults = new List<string>();
            Settings? settings = Read(faults);
            if (settings is null)
            {
                faults.ForEach(fault => Failed(actor, fault));
                return new ReloadResult(false, string.Join("; ", faults));
            }

            // The sets are asked about by the mode that they are loaded with.
            LockoutMode mode = _guard.Mode;
            _guard.Mode = SettingsMap.Guard(settings.Guard);
            SetReload sets = _sets.Reload(actor, stance, requester);
            if (!sets.IsOk)
            {
                _guard.Mode = mode;
                return new ReloadResult(false, sets.Message);
            }

            string[] restart = [.. NeedRestart(_settings, settings)];
            _logs.Apply(settings.Logging);
            _reports.Configure(settings.Reporting.Enabled ? settings.Reporting.Webhook : null);
            _peering.Reconfigure(SettingsMap.Peering(settings.Peering));
            _settings = Merge(_settings, settings);
            WarnOfClearTokens(settings.Peering);
            Reloaded(actor);
            if (restart.Length == 0)
            {
                return new ReloadResult(true, string.Empty) { Warnings = sets.Warnings };
            }

            RestartNeeded(string.Join(", ", restart));
            return new ReloadResult(true, $"changed, but in force only after a restart: {string.Join(", ", restart)}") { Warnings = sets.Warnings };
        }
    }

    /// <summary>At the start and after each reload.</summary>
    public void WarnOfClearTokens(Config.PeeringSettings peering)
    {
        foreach (string warning in ClearTokens.WarningsOf(peering))
        {
            TokenInClear(warning);
        }
    }

    private Settings? Read(List<string> faults)
    {
        if (_path is null)
        {
            return _settings;
        }

        try
        {
            var found = new List<Fault>();
            Settings? settings = SettingsReader.Read(SettingsSource.Locate(_path), found);
            faults.AddRange(found.Select(fault => fault.ToString()));
            return settings;
        }
        catch (IOException e)
        {
            faults.Add(e.Message);
            return null;
        }
    }

    /// <summary>What the running daemon goes by: the new configuration, but the old where that takes a restart.</summary>
    private static Settings Merge(Settings running, Settings read) =>
        running with { Logging = read.Logging, Reporting = read.Reporting, Peering = read.Peering, Guard = read.Guard };

    private static IEnumerable<string> NeedRestart(Settings running, Settings read)
    {
        (string Key, bool Same)[] keys =
        [
            ("ifaces", running.Ifaces.SequenceEqual(read.Ifaces)),
            ("operation_mode", running.OperationMode == read.OperationMode),
            ("match", running.Match == read.Match),
            ("working_dir", running.WorkingDir == read.WorkingDir),
            ("user", running.User == read.User),
            ("group", running.Group == read.Group),
            ("[server] socket", running.Server == read.Server),
            ("[limits]", running.Limits == read.Limits),
        ];
        return keys.Where(key => !key.Same).Select(key => key.Key);
    }

    [LoggerMessage(EventName = "reloaded", Level = LogLevel.Information, Message = "configuration and sets reloaded for {Actor}")]
    private partial void Reloaded(string actor);

    [LoggerMessage(EventName = "reload_failed", Level = LogLevel.Error, Message = "reload for {Actor}: nothing has changed: {Fault}")]
    private partial void Failed(string actor, string fault);

    [LoggerMessage(EventName = "token_in_clear", Level = LogLevel.Warning, Message = "{Warning}")]
    private partial void TokenInClear(string warning);

    [LoggerMessage(EventName = "restart_needed", Level = LogLevel.Warning, Message = "changed, but in force only after a restart: {Keys}")]
    private partial void RestartNeeded(string keys);
}
