#ifndef COUIC_H
#define COUIC_H
#endif
