using System.Text;
using Couic.Api;
using Couic.Api.Access;
using Couic.Config;
using Couic.Logging;
using Couic.Logging.Abstractions;
using Couic.Native;
using Couic.Peering;
using Couic.Reporting;
using Couic.Sets;
using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Daemon;

/// <summary>
/// SIGHUP and <c>couicctl reload</c>: reads configuration and sets again and applies what can change without a restart. A configuration
/// with a fault changes nothing. Thread-safe.
/// </summary>
internal sealed partial class Reloader
{
    private readonly Lock _gate = new();
    private readonly string? _path;
    private readonly ClientDirectory _clients;
    private readonly SetLoader _sets;
    private readonly LogFactory _logs;
    private readonly ReportSender _reports;
    private readonly PeeringService _peering;
    private readonly LockoutGuard _guard;
    private readonly ILogger _log;
    private Settings _settings;
    private IReadOnlyList<string> _clientFaults;
    private ulong _loaded;
    private string[] _needRestart = [];
    private ConfigReload _last;

    /// <param name="path">The configuration's file, or the name of the embedded default, which does not change.</param>
    /// <param name="text">Its content at the start.</param>
    /// <param name="clientFaults">Why client files were left out at the start.</param>
    public Reloader(
        string path, ReadOnlySpan<byte> text, Settings settings, ClientDirectory clients, IReadOnlyList<string> clientFaults, SetLoader sets, LogFactory logs,
        ReportSender reports, PeeringService peering, LockoutGuard guard)
    {
        _path = path == SettingsSource.EmbeddedName ? null : path;
        _settings = settings;
        _clients = clients;
        _clientFaults = clientFaults;
        _loaded = ContentHash.Of(text);
        _last = new ConfigReload(BatchClock.Instance.GetUtcNow(), true, string.Empty, IsStart: true);
        _sets = sets;
        _logs = logs;
        _reports = reports;
        _peering = peering;
        _guard = guard;
        _log = logs.CreateLogger("reload");
    }

    /// <summary>Reads what belongs to a new configuration, and returns what brings it into force; faults are added.</summary>
    public Func<Settings, List<string>, Action?>? Prepare { get; init; }

    /// <summary>Called with the actor after each reading of the client files.</summary>
    public Action<string, ClientReload>? ClientsReloaded { get; set; }

    /// <summary>What the daemon goes by now.</summary>
    public Settings InForce => Volatile.Read(ref _settings);

    /// <summary>The last time that the configuration was read; a failure stays until a reload goes well.</summary>
    /// <summary>Why client files were left out when they were last read.</summary>
    public IReadOnlyList<string> ClientFaults => Volatile.Read(ref _clientFaults);

    public ConfigReload Last => Volatile.Read(ref _last);

    /// <summary>What keeps the daemon from going by its configuration file, a line each; empty when it does.</summary>
    public IReadOnlyList<string> Faults()
    {
        ConfigReload last = Last;
        if (!last.Ok)
        {
            return [$"the last reload of the configuration failed, nothing has changed: {last.Message} (mend that, then: couicctl reload)"];
        }

        var faults = new List<string>();
        if (Volatile.Read(ref _needRestart) is { Length: > 0 } keys)
        {
            faults.Add($"the configuration has changed, but in force only after a restart: {string.Join(", ", keys)} (systemctl restart couic)");
        }

        if (_path is not null)
        {
            try
            {
                if (Hash(SettingsSource.Locate(_path)) != Volatile.Read(ref _loaded))
                {
                    faults.Add($"configuration \"{_path}\" has changed since it was loaded (couicctl reload)");
                }
            }
            catch (IOException e)
            {
                faults.Add($"{e.Message} (a reload or a restart would fail)");
            }
        }

        return faults;
    }

    /// <param name="actor">The requester, for the log: a client's name, or a signal's.</param>
    /// <param name="stance">How to treat sets that may lock out a protected address.</param>
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
            string message = $"internal error: {e.Message} (the log has more)";
            Volatile.Write(ref _last, new ConfigReload(BatchClock.Instance.GetUtcNow(), false, message, IsStart: false));
            return new ReloadResult(false, message);
        }
    }

    private ReloadResult ReloadAll(string actor, LockoutStance stance, IReadOnlyList<ProtectedAddress> requester)
    {
        lock (_gate)
        {
            // Before the rest, which may fail: a token whose file was removed must not stay valid because of a typing error elsewhere.
            IReadOnlyList<Fault> clients = ReloadClients(actor);
            Volatile.Write(ref _clientFaults, [.. clients.Select(fault => $"client left out: {fault} (mend that, then: couicctl reload)")]);
            var faults = new List<string>();
            Settings? settings = Read(faults, out ulong hash);
            Action? apply = settings is null ? null : Prepare?.Invoke(settings, faults);
            settings = faults.Count > 0 ? null : settings;
            Volatile.Write(ref _last, new ConfigReload(BatchClock.Instance.GetUtcNow(), settings is not null, string.Join("; ", faults), IsStart: false));
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

            Settings merged = SettingsSchema.Reload(_settings, settings, out string[] restart);
            Volatile.Write(ref _loaded, hash);
            Volatile.Write(ref _needRestart, restart);
            _logs.Apply(settings.Logging);
            _reports.Configure(settings.Reporting.Enabled ? settings.Reporting.Webhook : null);
            _peering.Reconfigure(SettingsMap.Replication(settings));
            _settings = merged;
            apply?.Invoke();
            WarnOfClearTokens(settings);
            Reloaded(actor);
            var notes = new List<string>();
            if (restart.Length > 0)
            {
                RestartNeeded(string.Join(", ", restart));
                notes.Add($"changed, but in force only after a restart: {string.Join(", ", restart)}");
            }

            notes.AddRange(clients.Select(fault => $"client left out: {fault}"));
            if (_path is not null && SecretFile.Warning(_path, settings) is { } warning)
            {
                SecretsReadable(warning);
                notes.Add(warning);
            }

            return new ReloadResult(true, string.Join("; ", notes)) { Warnings = sets.Warnings };
        }
    }

    private IReadOnlyList<Fault> ReloadClients(string actor)
    {
        try
        {
            ClientReload reload = _clients.Reload();
            ClientsReloaded?.Invoke(actor, reload);
            foreach (string name in reload.Ended.Except(reload.Taken))
            {
                ClientEnded(name, actor);
            }

            foreach (string name in reload.Taken)
            {
                ClientTaken(name, actor);
            }

            foreach (Fault fault in reload.Faults)
            {
                ClientLeftOut(fault.ToString());
            }

            return reload.Faults;
        }
        catch (IOException e)
        {
            ClientLeftOut(e.Message);
            return [new Fault("clients", e.Message)];
        }
    }

    /// <summary>At the start and after each reload.</summary>
    public void WarnOfClearTokens(Settings settings)
    {
        foreach (string warning in ClearTokens.WarningsOf(settings))
        {
            TokenInClear(warning);
        }
    }

    private Settings? Read(List<string> faults, out ulong hash)
    {
        hash = _loaded;
        if (_path is null)
        {
            return _settings;
        }

        try
        {
            var found = new List<Fault>();
            SettingsSource source = SettingsSource.Locate(_path);
            hash = Hash(source);
            Settings? settings = SettingsReader.Read(source, found);
            faults.AddRange(found.Select(fault => fault.ToString()));
            return settings;
        }
        catch (IOException e)
        {
            faults.Add(e.Message);
            return null;
        }
    }

    private static ulong Hash(SettingsSource source) => ContentHash.Of(Encoding.UTF8.GetBytes(source.Text));

    [LoggerMessage(EventName = "reloaded", Level = LogLevel.Information, Message = "configuration and sets reloaded for {Actor}")]
    private partial void Reloaded(string actor);

    [LoggerMessage(EventName = "reload_failed", Level = LogLevel.Error, Message = "reload for {Actor}: nothing has changed: {Fault}")]
    private partial void Failed(string actor, string fault);

    [LoggerMessage(EventName = "token_in_clear", Level = LogLevel.Warning, Message = "{Warning}")]
    private partial void TokenInClear(string warning);

    [LoggerMessage(EventName = "client_ended", Level = LogLevel.Information, Message = "client {Name} ended: its file is gone or not good (reload by {Actor})")]
    private partial void ClientEnded(string name, string actor);

    [LoggerMessage(EventName = "client_taken", Level = LogLevel.Information, Message = "client {Name} taken from its file (reload by {Actor})")]
    private partial void ClientTaken(string name, string actor);

    [LoggerMessage(EventName = "client_left_out", Level = LogLevel.Error, Message = "client left out: {Fault}")]
    private partial void ClientLeftOut(string fault);

    [LoggerMessage(EventName = "secrets_readable", Level = LogLevel.Warning, Message = "{Warning}")]
    private partial void SecretsReadable(string warning);

    [LoggerMessage(EventName = "restart_needed", Level = LogLevel.Warning, Message = "changed, but in force only after a restart: {Keys}")]
    private partial void RestartNeeded(string keys);
}

/// <summary>How the last reading of the configuration ended.</summary>
/// <param name="Message">Why it failed; empty when it did not.</param>
/// <param name="IsStart">Whether it was the daemon's start, and no reload.</param>
internal sealed record ConfigReload(DateTimeOffset At, bool Ok, string Message, bool IsStart);
