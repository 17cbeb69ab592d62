using Couic.Api.Contracts;
using Couic.Config;
using Couic.Http;
using Couic.Logging.Abstractions;
using Couic.Native;
using Microsoft.Extensions.Logging;

namespace Couic.Daemon;

/// <summary>The certificate with which the network is served: read at the start and at each reload, with warnings before its end. Thread-safe.</summary>
internal sealed partial class CertificateKeeper : IDisposable
{
    /// <summary>Days before the end: the log warns at each of them, and from the last on the health is degraded.</summary>
    private static readonly int[] WarnDays = [30, 7];

    private static readonly TimeSpan CheckInterval = TimeSpan.FromHours(1);

    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly PeriodicTask _checks;
    private volatile ServerCertificate? _current;
    private int _warnedAt = int.MaxValue;

    /// <param name="current">Null: the network is not served, or not with TLS.</param>
    public CertificateKeeper(ServerCertificate? current, TimeProvider time, ILogger log)
    {
        _current = current;
        _time = time;
        _log = log;
        _checks = new PeriodicTask(Place.Certificate, log, CheckInterval, WarnOfEnd);
    }

    public ServerCertificate? Current => _current;

    /// <summary>For the status.</summary>
    public CertificateStatus? Status => _current is { } current
        ? new CertificateStatus((ulong)current.NotBefore.ToUnixTimeSeconds(), (ulong)current.NotAfter.ToUnixTimeSeconds(), current.Fingerprint, [.. current.Names])
        : null;

    /// <summary>What is wrong with its dates; null when nothing is, or its end is further away than the last warning.</summary>
    public string? Fault => _current is not { } current ? null
        : _time.GetUtcNow() < current.NotBefore ? $"the certificate of [server.tls] is not valid before {Date(current.NotBefore)} (is the clock right?)"
        : DaysLeft(current) is var days && days > WarnDays[^1] ? null
        : days < 0 ? $"the certificate of [server.tls] has ended on {Date(current.NotAfter)}: clients refuse it (couic certificate makes another one, then: couicctl reload)"
        : $"the certificate of [server.tls] ends on {Date(current.NotAfter)} (couic certificate makes another one, then: couicctl reload)";

    /// <summary>Checks the end now, and from now on every hour.</summary>
    public void Start()
    {
        WarnOfEnd();
        _checks.Start(CheckInterval);
    }

    /// <summary>Reads the files of a new configuration.</summary>
    /// <returns>Brings them into force on a server; null after a fault, or where there is nothing to do.</returns>
    public Action<HttpServer>? Read(Settings settings, List<string> faults)
    {
        if (_current is null || settings.Tls is not { } tls || ServerCertificate.Load(tls, FileOwner.Current, faults) is not { } next)
        {
            return null;
        }

        return server =>
        {
            bool isOther = next.Fingerprint != _current?.Fingerprint;
            _current = next;
            server.Tls = next.Context;
            _warnedAt = isOther ? int.MaxValue : _warnedAt;
            if (isOther)
            {
                CertificateTaken(next.Fingerprint, Date(next.NotAfter));
            }

            InternalErrors.Run(Place.Certificate, _log, WarnOfEnd);
        };
    }

    public void Dispose() => _checks.Dispose();

    private int DaysLeft(ServerCertificate certificate) => (int)Math.Floor((certificate.NotAfter - _time.GetUtcNow()).TotalDays);

    /// <summary>Once for each of the warning days, and once when it has ended.</summary>
    internal void WarnOfEnd()
    {
        if (_current is not { } current)
        {
            return;
        }

        int days = DaysLeft(current);
        int step = days < 0 ? -1 : WarnDays.Where(limit => days <= limit).DefaultIfEmpty(int.MaxValue).Min();
        if (step < _warnedAt)
        {
            _warnedAt = step;
            CertificateEnds(Date(current.NotAfter), days);
        }
    }

    private static string Date(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture);

    [LoggerMessage(EventName = "certificate_ends", Level = LogLevel.Warning,
        Message = "the certificate of [server.tls] ends on {end}, in {days} days (couic certificate makes another one, then: couicctl reload)")]
    private partial void CertificateEnds(string end, int days);

    [LoggerMessage(EventName = "certificate_taken", Level = LogLevel.Information, Message = "certificate {fingerprint} is in force for new connections; it ends on {end}")]
    private partial void CertificateTaken(string fingerprint, string end);
}
