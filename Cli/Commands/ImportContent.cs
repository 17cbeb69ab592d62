using System.Net;
using System.Text;
using Couic.Cli.Output;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary>The body of an import: one JSON object a line, written while the file is read.</summary>
internal sealed class ImportContent : HttpContent
{
    private readonly ImportSource _source;
    private readonly ProgressBar _progress;
    private readonly byte[] _suffix;

    /// <param name="tag">Good by the tag rule, so that it needs no escaping.</param>
    public ImportContent(ImportSource source, string tag, ulong expiration, ProgressBar progress)
    {
        _source = source;
        _progress = progress;
        string tagJson = tag.Length == 0 ? "null" : $"\"{tag}\"";
        _suffix = Encoding.UTF8.GetBytes($"\",\"tag\":{tagJson},\"expiration\":{expiration}}}\n");
    }

    /// <summary>Why the file could not be read to its end; the request has failed then for that reason.</summary>
    public CliException? SourceFailure { get; private set; }

    protected override void SerializeToStream(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[65536];
        int room = buffer.Length - _suffix.Length - Cidr.MaxTextLength - 16;
        int length = 0;
        try
        {
            while (_source.TryNext(out Cidr cidr))
            {
                "{\"cidr\":\""u8.CopyTo(buffer.AsSpan(length));
                length += 9;
                length += cidr.Format(buffer.AsSpan(length));
                _suffix.CopyTo(buffer, length);
                length += _suffix.Length;
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
