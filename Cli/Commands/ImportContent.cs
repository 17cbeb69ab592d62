using System.Net;
using System.Text;
using Couic.Cli.Output;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary>The body of an import: one JSON object a line, written while the file is read.</summary>
internal sealed class ImportContent : HttpContent
{
    /// <summary>Bytes: network, tag and expiration with what is around them.</summary>
    private const int LongestLine = 256;

    private readonly ImportSource _source;
    private readonly ProgressBar _progress;
    private readonly byte[] _suffix;

    /// <param name="tag">Good by the tag rule, so that it needs no escaping.</param>
    public ImportContent(ImportSource source, string tag, ulong expiration, ProgressBar progress)
    {
        _source = source;
        _progress = progress;
        string tagJson = tag.Length == 0 ? "null" : $"\"{tag}\"";
        _suffix = Suffix($"\"tag\":{tagJson},\"expiration\":{expiration}");
    }

    /// <summary>Why the file could not be read to its end; the request has failed then for that reason.</summary>
    public CliException? SourceFailure { get; private set; }

    protected override void SerializeToStream(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[65536];
        int room = buffer.Length - LongestLine;
        int length = 0;
        try
        {
            while (_source.TryNext(out Cidr cidr))
            {
                "{\"cidr\":\""u8.CopyTo(buffer.AsSpan(length));
                length += 9;
                length += cidr.Format(buffer.AsSpan(length));
                byte[] suffix = _source.Members is { } members ? Suffix(members) : _suffix;
                suffix.CopyTo(buffer, length);
                length += suffix.Length;
                if (length > room)
                {
                    stream.Write(buffer, 0, length);
                    length = 0;
                    _progress.Show(_source.Sent, _source.Position);
                }
            }
        }
        catch (CliException e)
        {
            SourceFailure = e;
            throw new IOException(e.Message, e);
        }

        stream.Write(buffer, 0, length);
    }

    private static byte[] Suffix(string members) => Encoding.UTF8.GetBytes($"\",{members}}}\n");

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        SerializeToStream(stream, context, CancellationToken.None);
        return Task.CompletedTask;
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
